import json
import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from collapse_guard.audit.filters.rejection import (
    hypergeometric_tail,
    rejection_by_rarity,
    wilson_interval,
)
from collapse_guard.errors import ArgumentError


@given(st.integers(1, 60), st.data())
def test_tail_is_that_of_fishers_exact_test(total: int, data: st.DataObject) -> None:
    marked = data.draw(st.integers(0, total))
    drawn = data.draw(st.integers(1, total))
    lowest, highest = max(0, drawn - (total - marked)), min(marked, drawn)
    hits = data.draw(st.integers(lowest, highest))
    expected = stats.hypergeom.sf(hits - 1, total, marked, drawn)
    assert hypergeometric_tail(hits, total, marked, drawn) == pytest.approx(expected, rel=1e-9)


def test_tail_of_many_rows() -> None:
    expected = stats.hypergeom.sf(10_399, 10_000_000, 100_000, 1_000_000)
    assert hypergeometric_tail(10_400, 10_000_000, 100_000, 1_000_000) == pytest.approx(
        expected, rel=1e-5
    )


@given(st.integers(1, 500), st.floats(0, 1))
def test_interval_is_wilsons(rows: int, share: float) -> None:
    hits = round(share * rows)
    expected = stats.binomtest(hits, rows).proportion_ci(method="wilson")
    assert wilson_interval(hits / rows, rows) == pytest.approx((expected.low, expected.high))


def _rarity(rows: int) -> np.ndarray:
    return np.random.default_rng(0).normal(10, 2, rows)


@pytest.mark.parametrize("soft", [False, True])
def test_a_filter_that_is_blind_to_rarity_is_seldom_flagged(soft: bool) -> None:
    rarity, flagged = _rarity(500), 0
    generator = np.random.default_rng(1)
    for _ in range(400):
        weights = generator.random(500) ** 0.2
        report = rejection_by_rarity(
            weights if soft else np.round(weights), rarity, alpha=0.05, tolerance=1.0
        )
        flagged += bool(report.flagged)
    # 5% of 400 are 20; four standard deviations more are 38.
    assert flagged <= 38


@pytest.mark.parametrize("soft", [False, True])
def test_a_filter_that_eats_the_tail_is_flagged(soft: bool) -> None:
    rarity = _rarity(5000)
    generator = np.random.default_rng(2)
    rare = rarity > np.quantile(rarity, 0.9)
    lost = generator.random(5000) < np.where(rare, 0.2, 0.05)
    report = rejection_by_rarity(np.where(lost, 0.3, 1.0) if soft else ~lost, rarity)
    assert report.eats_tail
    assert report.flagged == (9,)
    assert "this filter eats the tail" in str(report)
    last = report.strata[-1]
    assert last.rate == pytest.approx(lost[rare].mean() * (0.7 if soft else 1.0), abs=0.01)
    assert last.interval[0] < last.rate < last.interval[1]
    assert last.ratio > 2


def test_a_filter_that_takes_common_rows_does_not_eat_the_tail() -> None:
    rarity = np.arange(1000.0)
    report = rejection_by_rarity(rarity > 200, rarity)
    assert report.flagged == (0, 1)
    assert not report.eats_tail


def test_a_difference_that_is_certain_but_small_is_not_flagged() -> None:
    rarity = np.arange(1_000_000)
    lost = np.where(rarity % 100 < np.where(rarity >= 900_000, 11, 10), 1.0, 0.0)
    report = rejection_by_rarity(1 - lost, rarity)
    assert report.strata[-1].p_value < 1e-20
    assert report.strata[-1].ratio == pytest.approx(1.1)
    assert report.flagged == ()
    assert rejection_by_rarity(1 - lost, rarity, tolerance=1.05).flagged == (9,)


def test_soft_and_hard_weights_agree_where_they_say_the_same() -> None:
    rarity = _rarity(4000)
    lost = np.random.default_rng(3).random(4000) < 0.3 + 0.02 * (rarity - 10)
    hard = rejection_by_rarity(~lost, rarity)
    soft = rejection_by_rarity(np.where(lost, 1e-12, 1.0), rarity)
    for one, other in zip(hard.strata, soft.strata, strict=True):
        assert one.p_value == pytest.approx(other.p_value, abs=0.03)


def test_probability_of_soft_weights_is_that_of_rows_drawn_at_random() -> None:
    generator = np.random.default_rng(4)
    rarity = generator.permutation(60)
    weights = generator.random(60) * np.where(rarity >= 30, 0.7, 1.0)
    found = rejection_by_rarity(weights, rarity, num_strata=2).strata[1].p_value
    lost = 1 - weights
    drawn = np.array([generator.permutation(lost)[:30].mean() for _ in range(20_000)])
    expected = (drawn >= lost[rarity >= 30].mean()).mean()
    # Drawn with replacement it would be 0.17 and not 0.09; the normal limit is good to 0.01.
    assert found == pytest.approx(expected, abs=0.01)


def test_rows_of_equal_rarity_share_a_stratum() -> None:
    report = rejection_by_rarity(np.ones(100), np.array([1.0] * 70 + [2.0] * 30))
    assert [stratum.rows for stratum in report.strata] == [70, 30]
    one = rejection_by_rarity(np.zeros(5), np.ones(5))
    assert [stratum.rows for stratum in one.strata] == [5]
    assert one.flagged == ()


def test_nothing_and_everything_rejected() -> None:
    none = rejection_by_rarity(np.ones(100), np.arange(100))
    assert none.rate == 0
    assert all(math.isnan(stratum.ratio) for stratum in none.strata)
    assert none.flagged == rejection_by_rarity(np.zeros(100), np.arange(100)).flagged == ()


def test_the_report_as_a_dict() -> None:
    report = rejection_by_rarity(np.arange(100) < 85, np.arange(100), num_strata=4)
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["rows"] == 100
    assert [stratum["flagged"] for stratum in plain["strata"]] == [False, False, False, True]
    assert plain["eats_tail"] is True


@pytest.mark.parametrize(
    ("weights", "rarity", "options"),
    [
        ([1.0], [1.0, 2.0], {}),
        ([], [], {}),
        ([1.5], [1.0], {}),
        ([float("nan")], [1.0], {}),
        ([1.0], [float("inf")], {}),
        ([1.0], [1.0], {"num_strata": 1}),
        ([1.0], [1.0], {"alpha": 2.0}),
        ([1.0], [1.0], {"tolerance": 0.5}),
    ],
)
def test_bad_input_is_refused(weights: list, rarity: list, options: dict) -> None:
    with pytest.raises(ArgumentError):
        rejection_by_rarity(np.array(weights), np.array(rarity), **options)
