from fractions import Fraction
from itertools import pairwise
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, strategies as st

from collapse_guard.mixing.strata.ranking import Ranking, quantile_cuts
from collapse_guard.mixing.strata.strata import Strata

rarities = st.lists(st.integers(0, 12) | st.floats(0, 20, width=32), min_size=1, max_size=200)


def by_rarity(rarity: npt.NDArray[np.float32], num_strata: int) -> Strata:
    return Strata.ranked(Ranking(rarity, quantile_cuts([rarity], num_strata)), None)


@given(values=rarities, num_strata=st.integers(2, 20))
def test_strata_are_ordered_and_never_split_ties(values: list[float], num_strata: int) -> None:
    rarity = np.array(values, dtype=np.float32)
    strata = by_rarity(rarity, num_strata)
    assert strata.order is not None
    assert strata.rarity_ranges is not None
    assert sorted(strata.order.tolist()) == list(range(len(rarity)))
    assert strata.sizes.min() >= 1
    assert len(strata.sizes) <= num_strata
    groups = np.split(rarity[strata.order], np.cumsum(strata.sizes)[:-1])
    for group, (low, high) in zip(groups, strata.rarity_ranges, strict=True):
        assert (group.min(), group.max()) == (low, high)
    for lower, upper in pairwise(groups):
        assert lower.max() < upper.min()


@pytest.mark.parametrize(("rows", "num_strata"), [(100, 10), (103, 10), (7, 3), (5, 5)])
def test_rows_without_ties_are_cut_evenly(rows: int, num_strata: int) -> None:
    rarity = np.random.default_rng(0).permutation(rows).astype(np.float32)
    sizes = by_rarity(rarity, num_strata).sizes
    assert len(sizes) == num_strata
    assert sizes.max() - sizes.min() <= 1


def test_rows_of_one_rarity_are_one_stratum() -> None:
    strata = by_rarity(np.ones(20, dtype=np.float32), 10)
    assert strata.sizes.tolist() == [20]


def test_a_commonest_value_of_most_rows_is_a_stratum_of_its_own() -> None:
    rarity = np.array([1.0] * 90 + [2.0] * 10, dtype=np.float32)
    assert by_rarity(rarity, 10).sizes.tolist() == [90, 10]


def test_members_are_looked_up_in_their_stratum() -> None:
    strata = by_rarity(np.array([9, 1, 8, 2], dtype=np.float32), 2)
    rows = strata.rows(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
    assert rows.tolist() == [1, 3, 0, 2]
    assert rows.dtype == np.int64


def test_four_bytes_a_row_are_kept() -> None:
    strata = by_rarity(np.arange(1000, dtype=np.float32), 10)
    assert strata.order is not None
    assert strata.order.nbytes == 4000
    assert Strata.unranked(1000).order is None


def test_sources_are_cut_alike_and_may_lack_a_stratum() -> None:
    common, rare = np.zeros(6, dtype=np.float32), np.arange(6, dtype=np.float32)
    cuts = quantile_cuts([common, rare], 4)
    assert cuts.tolist() == [1.0, 2.0, 4.0]
    assert Strata.ranked(Ranking(common, cuts), None).sizes.tolist() == [6, 0, 0, 0]
    assert Strata.ranked(Ranking(common, cuts), None).rarity_ranges == ((0.0, 0.0), *[None] * 3)
    assert Strata.ranked(Ranking(rare, cuts), None).sizes.tolist() == [1, 1, 2, 2]


@given(data=st.data(), num_rows=st.integers(1, 60), at_a_time=st.integers(1, 70))
def test_rarity_and_quality_group_rows_together(
    data: st.DataObject, num_rows: int, at_a_time: int
) -> None:
    def drawn() -> npt.NDArray[np.float32]:
        values = data.draw(st.lists(st.integers(0, 9), min_size=num_rows, max_size=num_rows))
        return np.array(values, dtype=np.float32)

    rarity, quality = Ranking(drawn(), np.float32([3, 6])), Ranking(drawn(), np.float32([2]))
    with mock.patch("collapse_guard.mixing.strata.strata._ROWS_AT_A_TIME", at_a_time):
        strata = Strata.ranked(rarity, quality, boosts=[Fraction(1), Fraction(2), Fraction(3)])
    assert strata.order is not None
    assert strata.weights is not None
    assert strata.num_levels == 2
    members = np.split(strata.order, np.cumsum(strata.sizes)[:-1])
    assert len(members) == 6
    for stratum, rows in enumerate(members):
        group, level = divmod(stratum, 2)
        expected = [
            row
            for row in range(num_rows)
            if sum(rarity.values[row] >= [3, 6]) == group and (quality.values[row] >= 2) == level
        ]
        assert rows.tolist() == expected
        mean = float(np.mean(quality.values[rows])) if expected else 0.0
        assert float(strata.weights[stratum]) == pytest.approx((group + 1) * mean)
    shown = sum(len(rows) for rows, w in zip(members, strata.weights, strict=True) if w > 0)
    assert strata.num_shown == shown
