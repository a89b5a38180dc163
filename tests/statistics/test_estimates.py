import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from collapse_guard.diversity import rarefied_types
from collapse_guard.errors import ArgumentError
from collapse_guard.statistics.estimates import (
    Estimate,
    difference,
    document_mean,
    document_means,
    exponential,
    jackknife,
    logarithm,
    moved_on,
    ratio,
    share,
    total,
)


def test_document_mean_is_the_textbook_standard_error() -> None:
    values = np.array([1.0, 2.0, 4.0, math.nan, 8.0])
    estimate = document_mean(values)
    assert estimate.value == pytest.approx(3.75)
    assert estimate.standard_error == pytest.approx(stats.sem(values[~np.isnan(values)]))


def test_ratio_of_equal_denominators_is_a_mean() -> None:
    numerators = np.array([1.0, 5.0, 3.0])
    estimate = ratio(numerators, np.full(3, 2.0))
    assert estimate.value == pytest.approx(1.5)
    assert estimate.standard_error == pytest.approx(stats.sem(numerators / 2))


def test_standard_errors_match_the_spread_over_many_draws() -> None:
    generator = np.random.default_rng(0)
    values, errors = [], []
    for _ in range(2_000):
        sizes = generator.integers(5, 50, 40).astype(float)
        level = generator.normal(-3, 0.5, 40)
        estimate = exponential(ratio(level * sizes, sizes))
        values.append(estimate.value)
        errors.append(estimate.standard_error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.05)


def test_difference_of_paired_estimates_cancels_what_they_share() -> None:
    generator = np.random.default_rng(0)
    shared, noise = generator.normal(0, 10, 50), generator.normal(0, 0.1, 50)
    gap = difference(document_mean(shared + noise), document_mean(shared))
    assert gap.standard_error == pytest.approx(stats.sem(noise))
    same = difference(document_mean(shared), document_mean(shared))
    assert (same.value, same.standard_error) == (0.0, 0.0)


def test_exponential_is_the_delta_method() -> None:
    log = document_mean(np.array([-0.1, -0.2, -0.3]))
    level = exponential(log)
    assert level.value == pytest.approx(math.exp(-0.2))
    assert level.standard_error == pytest.approx(math.exp(-0.2) * log.standard_error)


def test_diverged_models_read_infinite_not_an_error() -> None:
    assert exponential(ratio(np.array([1e6, 1e6]), np.ones(2))).value == math.inf


def test_nothing_and_one_document_have_no_error() -> None:
    assert math.isnan(document_mean(np.array([math.nan])).value)
    assert math.isnan(ratio(np.zeros(2), np.zeros(2)).value)
    assert math.isnan(document_mean(np.array([1.0])).standard_error)


def test_jackknife_of_a_mean_is_the_textbook_standard_error() -> None:
    values = np.random.default_rng(0).normal(size=30).tolist()
    value, error = jackknife(np.mean, values, groups=30)
    assert (value, error) == pytest.approx((np.mean(values), stats.sem(values)))
    # Units that are not asked for as 30 groups are left out a few at a time.
    assert jackknife(np.mean, values, groups=1000) == (value, error)
    assert jackknife(np.mean, values, groups=10)[1] == pytest.approx(error, rel=0.5)


def test_jackknife_matches_the_spread_over_many_draws() -> None:
    # Types of clustered text, which have no simple influence: each document repeats its own topic.
    generator = np.random.default_rng(0)

    def types(documents: Sequence[list[int]]) -> float:
        return rarefied_types(documents, budget=100)

    values, errors = [], []
    for _ in range(300):
        topics = np.minimum(generator.geometric(0.1, 200), 40)
        documents = (topics[:, None] * 8 + generator.integers(0, 8, (200, 10))).tolist()
        value, error = jackknife(types, documents)
        values.append(value)
        errors.append(error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.1)


def test_jackknife_of_groups_of_unequal_size() -> None:
    values = np.random.default_rng(0).normal(size=64).tolist()

    def drifting(numbers: Sequence[float]) -> float:
        # Like a count of types, it grows with the number of documents whatever they say.
        return float(np.mean(numbers)) + math.log(len(numbers))

    errors = [jackknife(np.mean, values, groups=groups)[1] for groups in (16, 20, 64)]
    drifted = [jackknife(drifting, values, groups=groups)[1] for groups in (16, 20, 64)]
    assert drifted == pytest.approx(errors, rel=0.02)
    assert errors == pytest.approx([stats.sem(values)] * 3, rel=0.3)


def test_jackknife_of_one_and_of_none() -> None:
    assert math.isnan(jackknife(np.mean, [1.0])[1])
    with pytest.raises(ArgumentError, match="`units` expected at least one"):
        jackknife(np.mean, [])
    with pytest.raises(ArgumentError, match="`groups` expected at least 2"):
        jackknife(np.mean, [1.0, 2.0], groups=1)


def test_a_total_is_the_mean_of_sums_and_its_error_theirs() -> None:
    random = np.random.default_rng(0)
    level, moved = random.normal(size=(2, 40))
    both = total(document_mean(level), document_mean(moved))
    expected = document_mean(level + moved)
    assert both.value == pytest.approx(expected.value)
    assert both.standard_error == pytest.approx(expected.standard_error)
    np.testing.assert_allclose(both.influences**2, 40 / 39 * expected.influences**2)


def test_a_total_knows_no_more_than_the_smaller_side() -> None:
    random = np.random.default_rng(1)
    runs = []
    for _ in range(4000):
        level, moved = random.normal(size=60), random.normal(0.0, 0.5, 60)
        seen = np.where(np.arange(60) < 15, moved, np.nan)
        runs.append(total(document_mean(level), document_mean(seen)))
    assert {each.units for each in runs} == {15.0}
    spread = np.std([each.value for each in runs])
    assert np.mean([each.standard_error for each in runs]) == pytest.approx(spread, rel=0.05)
    one = np.full(60, np.nan)
    one[0] = 1.0
    assert math.isnan(total(document_mean(np.ones(60)), document_mean(one)).standard_error)


def test_a_share_of_nothing_is_surely_none() -> None:
    nothing, some = np.zeros(3), np.array([1.0, 2.0, 3.0])
    assert share(nothing, nothing)[:2] == (0.0, 0.0)
    assert share(nothing, nothing).units == 3.0
    # Of a single document with a whole the share is that document's.
    assert share(np.array([0.0, 1.0, 0.0]), np.array([0.0, 4.0, 0.0])).value == 0.25
    assert share(some, 2 * some)[:2] == ratio(some, 2 * some)[:2] == (0.5, 0.0)


def test_a_document_without_positions_has_no_mean() -> None:
    sums, positions = np.array([2.0, 0.0, 9.0, 4.0]), np.array([2.0, 0.0, 3.0, 1.0])
    estimate = document_means(sums, positions)
    assert estimate.value == pytest.approx((1.0 + 3.0 + 4.0) / 3)
    assert estimate.standard_error == pytest.approx(stats.sem([1.0, 3.0, 4.0]))
    weighted = document_means(sums, positions, np.array([1.0, 5.0, 2.0, 1.0]))
    assert weighted.value == pytest.approx((1.0 + 2 * 3.0 + 4.0) / 4)


def test_what_has_moved_on_is_where_the_same_documents_lead() -> None:
    random = np.random.default_rng(0)
    first, second = (random.normal(3.0, 1.0, 50) for _ in range(2))
    before, after = document_mean(first), document_mean(second)
    moved = moved_on(before, document_mean(second - first), is_logarithm=False)
    assert moved[:2] == pytest.approx(after[:2])
    moved = moved_on(exponential(before), document_mean(second - first), is_logarithm=True)
    assert moved[:2] == pytest.approx(exponential(after)[:2])


def test_a_logarithm_undoes_an_exponential_and_is_none_of_what_is_not_above_0() -> None:
    estimate = document_mean(np.array([1.0, 2.0, 4.0]))
    again = logarithm(exponential(estimate))
    assert again[:2] == pytest.approx(estimate[:2])
    assert again.influences == pytest.approx(estimate.influences)
    for value in (0.0, -1.0, math.nan):
        none = logarithm(estimate._replace(value=value))
        assert math.isnan(none.value)
        assert math.isnan(none.standard_error)
        assert none.units == estimate.units


def test_an_unknown_error_stays_unknown() -> None:
    known = document_mean(np.array([1.0, 2.0, 4.0]))
    unknown = Estimate(1.0, math.nan, np.ones(3), 2.0)
    for one, other in ((known, unknown), (unknown, known)):
        for combined, value in (
            (total(one, other), one.value + other.value),
            (difference(one, other), one.value - other.value),
        ):
            assert combined.value == pytest.approx(value)
            assert math.isnan(combined.standard_error)
            assert combined.units == 2.0


def test_without_documents_two_errors_are_independent() -> None:
    one = Estimate(5.0, 3.0, np.zeros(0), 9.0)
    for other in (Estimate(1.0, 4.0, np.zeros(0), 7.0), Estimate(1.0, 4.0, np.ones(2), 7.0)):
        apart = difference(one, other)
        assert (apart.value, apart.standard_error, apart.units) == (4.0, 5.0, 7.0)
        assert not len(apart.influences)
