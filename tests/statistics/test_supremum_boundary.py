import json
import math
import re
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from collapse_guard import ArgumentError
from collapse_guard.statistics.confidence_sequence import half_width, spending
from collapse_guard.statistics.estimates import Estimate, document_mean
from collapse_guard.statistics.supremum_boundary import (
    FEWEST_CROSSINGS,
    FEWEST_DOCUMENTS,
    HIGHEST,
    MOST_GROUPS,
    MULTIPLIERS,
    PRECISION,
    WIDENED,
    SupremumBoundary,
    _cosine,
    _crossed_by,
)
from tests.sizes import sized

NUM_DOCUMENTS = 100


def wandering(looks: int, *, documents: int = NUM_DOCUMENTS, drift: float, seed: int = 0):
    """Documents that differ for good by 0.2, and by `drift` for some 50 looks."""
    random = np.random.default_rng(seed)
    for_good = 0.2 * random.standard_normal(documents)
    now, kept = drift * random.standard_normal(documents), math.exp(-1 / 50)
    for _ in range(looks):
        news = random.standard_normal(documents)
        now = kept * now + drift * math.sqrt(1 - kept**2) * news
        yield for_good + now


def reaches(boundary: SupremumBoundary, looks: int, drift: float) -> list[float]:
    return [boundary.next(document_mean(each)) for each in wandering(looks, drift=drift)]


def crosses(*, looks: int, documents: int, drift: float, seed: int, alpha: float) -> bool:
    boundary = SupremumBoundary(alpha, seed=seed)
    for each in wandering(looks, documents=documents, drift=drift, seed=seed):
        excess = document_mean(each)
        if excess.value > boundary.next(excess) * excess.standard_error:
            return True
    return False


def widened(reach: float, documents: int = NUM_DOCUMENTS) -> float:
    return reach * (1 + WIDENED / (documents - 1))


def test_the_first_look_is_an_ordinary_one() -> None:
    (first,) = reaches(SupremumBoundary(0.01), 1, 0.1)
    exact = stats.t.isf(spending(0.01, 1), NUM_DOCUMENTS - 1)
    assert first == pytest.approx(widened(exact), abs=0.03)


def test_looking_again_at_the_same_costs_nothing() -> None:
    reach = reaches(SupremumBoundary(0.01), 300, 0.0)
    # More is allowed as looks go on, and nothing new is drawn: down to what one look at all may.
    assert reach == sorted(reach, reverse=True)
    allowed = sum(spending(0.01, look) for look in range(1, 301))
    (single,) = stats.t.isf([allowed], NUM_DOCUMENTS - 1)
    # In steps of one draw of 4,096, of which some 36 may have crossed by then.
    assert reach[-1] == pytest.approx(widened(single), abs=0.15)


def test_another_number_of_documents_is_something_new() -> None:
    """As a state may say of the last look that was of another panel."""
    (seen,) = wandering(1, drift=0.1)
    again, others = SupremumBoundary(0.01), SupremumBoundary(0.01)
    again.next(document_mean(seen))
    others.next(document_mean(seen[:60]))
    allowed = spending(0.01, 2)
    expected = widened(stats.t.isf(allowed, NUM_DOCUMENTS - 1))
    assert others.next(document_mean(seen)) == pytest.approx(expected, abs=0.1)
    assert again.next(document_mean(seen)) < expected - 0.3


def test_what_the_fewest_documents_come_to() -> None:
    """As the constant says."""
    random, boundary = np.random.default_rng(1), SupremumBoundary(0.01)
    fresh = random.standard_normal((100, FEWEST_DOCUMENTS))
    reach = [boundary.next(document_mean(each)) for each in fresh]
    assert reach[0] > 5
    assert reach[-1] == pytest.approx(40, abs=2)


def test_looks_that_wander_cost_something_and_less_than_the_union_of_all() -> None:
    still, wanders, wild = (reaches(SupremumBoundary(0.01), 400, drift) for drift in (0, 0.1, 5.0))
    union = half_width(1.0, NUM_DOCUMENTS, alpha=0.01, look=400)
    assert still[-1] < wanders[-1] < wild[-1] < union
    assert wanders[-1] < 4.0


def test_looks_drawn_afresh_are_as_the_union_bound_says() -> None:
    random, boundary = np.random.default_rng(0), SupremumBoundary(0.05)
    for look in range(1, 30):
        reach = boundary.next(document_mean(random.standard_normal(400)))
        union = half_width(1.0, 400, alpha=0.05, look=look)
        assert reach == pytest.approx(widened(union, 400), abs=0.06)


@pytest.mark.parametrize(("documents", "drift"), [(10, 0.1), (100, 0.1), (40, 1.0)])
def test_runs_at_the_limit_err_about_as_often_as_stated(documents: int, drift: float) -> None:
    alpha, runs, looks = 0.1, sized(short=60, long=150), 30
    wrong = sum(
        crosses(looks=looks, documents=documents, drift=drift, seed=seed, alpha=alpha)
        for seed in range(runs)
    )
    # By the 30th look 80% of alpha is spent, by the 60th no more than 83%; beyond these, one
    # experiment in a thousand.
    spent = sum(spending(alpha, look) for look in range(1, looks + 1))
    assert stats.binom.ppf(0.001, runs, spent) <= wrong <= stats.binom.ppf(0.999, runs, spent)


def test_the_same_seed_says_the_same_and_another_next_to_the_same() -> None:
    one, again, other = (reaches(SupremumBoundary(0.05, seed=seed), 40, 0.1) for seed in (3, 3, 4))
    assert one == again != other
    np.testing.assert_allclose(one, other, atol=0.25)


def test_state_goes_on_after_json() -> None:
    looks = [document_mean(each) for each in wandering(40, drift=0.1)]
    whole, first, second = (SupremumBoundary(0.01, seed=1) for _ in range(3))
    expected = [whole.next(each) for each in looks]
    assert [first.next(each) for each in looks[:20]] == expected[:20]
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert [second.next(each) for each in looks[20:]] == expected[20:]
    assert second.state_dict() == whole.state_dict()


def test_more_documents_than_groups_are_added_up() -> None:
    random, boundary = np.random.default_rng(0), SupremumBoundary(0.01)
    excess = document_mean(random.standard_normal(5 * MOST_GROUPS + 3))
    exact = widened(stats.norm.isf(spending(0.01, 1)), 5 * MOST_GROUPS + 3)
    assert boundary.next(excess) == pytest.approx(exact, abs=0.03)
    assert len(boundary.state_dict()["before"]) == MOST_GROUPS


@pytest.mark.parametrize(
    "influences", [np.zeros(0), np.zeros(50), np.full(50, np.nan), np.full(50, np.inf)]
)
def test_without_contributions_it_is_the_union_bound(influences: np.ndarray) -> None:
    boundary = SupremumBoundary(0.01)
    for look in range(1, 5):
        reach = boundary.next(Estimate(0.1, 0.02, influences, 50.0))
        assert reach == half_width(1.0, 50.0, alpha=0.01, look=look)


def test_a_smaller_alpha_than_draws_can_tell_is_the_union_bound() -> None:
    excess = document_mean(np.random.default_rng(0).standard_normal(50))
    assert SupremumBoundary(1e-4).next(excess) == half_width(1.0, 50.0, alpha=1e-4, look=1)


def test_no_number_of_looks_at_a_single_document_is_evidence() -> None:
    boundary = SupremumBoundary(0.01)
    assert boundary.next(Estimate(5.0, math.nan, np.array([1.0]), 1.0)) == math.inf


def test_alpha_is_a_probability() -> None:
    with pytest.raises(ArgumentError, match="`alpha`"):
        SupremumBoundary(1.0)


def after_a_look(documents: int = 3) -> dict[str, Any]:
    """The state of a boundary that has looked once, as a file holds it."""
    boundary = SupremumBoundary(0.01)
    boundary.next(document_mean(np.random.default_rng(0).standard_normal(documents)))
    return json.loads(json.dumps(boundary.state_dict()))


def test_a_state_before_the_first_look_goes_on() -> None:
    fresh, resumed = SupremumBoundary(0.01), SupremumBoundary(0.01)
    reaches(resumed, 3, 1.0)
    resumed.load_state_dict(json.loads(json.dumps(fresh.state_dict())))
    assert resumed.state_dict() == fresh.state_dict()
    assert reaches(resumed, 5, 0.1) == reaches(fresh, 5, 0.1)


@pytest.mark.parametrize(
    "at_its_limit",
    [
        {"left": 0.0},
        {"left": 1.0},
        {"boundary": 0.0},
        {"boundary": HIGHEST},
        {"crossed": [0, 2 * MULTIPLIERS - 1]},
        {"looks": 1, "before": [-1.0]},
        {"before": [MOST_GROUPS**-0.5] * MOST_GROUPS},
        {"looks": 0, "before": None, "crossed": []},
    ],
    ids=str,
)
def test_a_state_at_its_limits_is_taken(at_its_limit: dict[str, Any]) -> None:
    state = after_a_look() | at_its_limit
    boundary = SupremumBoundary(0.01)
    boundary.load_state_dict(state)
    assert boundary.state_dict() == state


WHOLE = f"contributions of at most {MOST_GROUPS} groups, of norm 1"
NONE_BEFORE = "the contributions of the last look, and none before there was one"


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"left": -1e-9}, "a finite number from 0 to 1"),
        ({"left": 1.5}, "a finite number from 0 to 1"),
        ({"boundary": -1e-9}, "a finite number from 0 to 10000"),
        ({"boundary": 2 * HIGHEST}, "a finite number from 0 to 10000"),
        ({"crossed": [2 * MULTIPLIERS]}, f"a whole number from 0 to {2 * MULTIPLIERS - 1}"),
        ({"crossed": [3, 3]}, "draws in rising order"),
        ({"crossed": [4, 3]}, "draws in rising order"),
        ({"before": [1.00005]}, "a finite number from -1 to 1"),
        ({"before": [-1.00005]}, "a finite number from -1 to 1"),
        ({"before": [0.5, 0.5]}, WHOLE),
        ({"before": []}, WHOLE),
        ({"before": [(MOST_GROUPS + 1) ** -0.5] * (MOST_GROUPS + 1)}, WHOLE),
        ({"before": None, "crossed": [7]}, NONE_BEFORE),
        ({"looks": 0}, NONE_BEFORE),
    ],
    ids=str,
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(
    wrong: dict[str, Any], expected: str
) -> None:
    boundary = SupremumBoundary(0.01)
    reaches(boundary, 3, 0.1)
    kept = boundary.state_dict()
    with pytest.raises(ArgumentError, match=f" expected {re.escape(expected)}, but got "):
        boundary.load_state_dict(after_a_look() | wrong)
    assert boundary.state_dict() == kept


def test_the_smallest_alpha_that_draws_can_tell() -> None:
    # Of so many draws FEWEST_CROSSINGS may cross.
    alpha = FEWEST_CROSSINGS / (2 * MULTIPLIERS)
    excess = document_mean(np.random.default_rng(0).standard_normal(50))
    for given, is_union in ((alpha, False), (0.999 * alpha, True)):
        reach = SupremumBoundary(given).next(excess)
        assert (reach == half_width(1.0, 50.0, alpha=given, look=1)) is is_union


@pytest.mark.parametrize("near", [0.0, 0.3, 2.0, 9.0])
@pytest.mark.parametrize("spread", [1.0, 1e-3])
@pytest.mark.parametrize("share", [0.2, 0.01, 1e-6])
def test_a_boundary_is_where_the_share_is_met_from_wherever_it_is_looked_for(
    near: float, spread: float, share: float
) -> None:
    random = np.random.default_rng(0)
    expected = random.standard_normal(2_000).astype(np.float32)
    errors = random.uniform(0.5, 1.5, 2_000).astype(np.float32)
    expected[:20] = -math.inf

    def crossing(boundary: float) -> float:
        return float(stats.norm.sf((boundary * errors - expected) / spread).mean())

    boundary, spent = _crossed_by(expected, spread, errors, share, near)
    exact = optimize.brentq(lambda each: crossing(each) - share, 0.0, 20.0, xtol=1e-9)
    assert exact - 1e-4 <= boundary <= exact + 1.1 * PRECISION
    assert spent == pytest.approx(crossing(boundary), rel=2e-3)
    assert spent <= share


@pytest.mark.parametrize("near", [0.0, 0.01, 5.0])
def test_no_boundary_is_below_the_limit_however_much_may_be_spent(near: float) -> None:
    zeros, ones = np.zeros(100, np.float32), np.ones(100, np.float32)
    boundary, spent = _crossed_by(zeros, 1.0, ones, 0.6, near)
    assert 0.0 <= boundary <= PRECISION
    assert spent == pytest.approx(0.5, abs=PRECISION)


def test_where_no_boundary_is_high_enough_nothing_is_spent() -> None:
    zeros, tiny = np.zeros(100, np.float32), np.full(100, 1e-6, np.float32)
    assert _crossed_by(zeros, 1.0, tiny, 0.1, 3.0) == (math.inf, 0.0)


@pytest.mark.parametrize("seed", range(4))
def test_a_look_that_sees_the_same_is_known_to_through_the_rounding_of_its_norm(seed: int) -> None:
    now = np.random.default_rng(seed).standard_normal(100)
    rounded = (now / np.linalg.norm(now)).astype(np.float32)
    # So much that a float32 is off is more than what tells two looks apart.
    for scale in (1.0, 1.0 - 1e-6):
        assert abs(_cosine(np.float32(scale) * rounded, rounded) - 1.0) < 1e-12


def test_two_documents_are_some_evidence() -> None:
    excess = document_mean(np.array([0.3, -0.1]))
    assert math.isfinite(SupremumBoundary(0.5).next(excess))


def test_what_one_look_cannot_spend_is_there_for_the_next() -> None:
    alpha, influences = 0.01, np.random.default_rng(0).standard_normal(50)
    boundary = SupremumBoundary(alpha)
    # With hardly more than one document no boundary is high enough.
    assert boundary.next(Estimate(0.1, 0.02, influences, 1.001)) == math.inf
    assert boundary.state_dict()["left"] == spending(alpha, 1)
    second = boundary.next(Estimate(0.1, 0.02, influences, 50.0))
    exact = stats.t.isf(spending(alpha, 1) + spending(alpha, 2), 49)
    assert second == pytest.approx(widened(exact, 50), abs=0.1)
    assert stats.t.isf(spending(alpha, 2), 49) > exact + 0.3
