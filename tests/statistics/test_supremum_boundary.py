import json
import math

import numpy as np
import pytest
from scipy import stats

from collapse_guard import ArgumentError
from collapse_guard.statistics.confidence_sequence import half_width, spending
from collapse_guard.statistics.estimates import Estimate, document_mean
from collapse_guard.statistics.supremum_boundary import (
    FEWEST_DOCUMENTS,
    MOST_GROUPS,
    WIDENED,
    SupremumBoundary,
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


@pytest.mark.parametrize("influences", [np.zeros(0), np.zeros(50), np.full(50, np.nan)])
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
