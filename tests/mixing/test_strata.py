from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.mixing.strata import Strata

rarities = st.lists(st.integers(0, 12) | st.floats(0, 20, width=32), min_size=1, max_size=200)


@given(values=rarities, num_strata=st.integers(2, 20))
def test_strata_are_ordered_and_never_split_ties(values: list[float], num_strata: int) -> None:
    rarity = np.array(values, dtype=np.float32)
    strata = Strata.by_rarity(rarity, num_strata)
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
    sizes = Strata.by_rarity(rarity, num_strata).sizes
    assert len(sizes) == num_strata
    assert sizes.max() - sizes.min() <= 1


def test_rows_of_one_rarity_are_one_stratum() -> None:
    strata = Strata.by_rarity(np.ones(20, dtype=np.float32), 10)
    assert strata.sizes.tolist() == [20]


def test_a_commonest_value_of_most_rows_is_a_stratum_of_its_own() -> None:
    rarity = np.array([1.0] * 90 + [2.0] * 10, dtype=np.float32)
    assert Strata.by_rarity(rarity, 10).sizes.tolist() == [90, 10]


def test_members_are_looked_up_in_their_stratum() -> None:
    strata = Strata.by_rarity(np.array([9, 1, 8, 2], dtype=np.float32), 2)
    rows = strata.rows(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
    assert rows.tolist() == [1, 3, 0, 2]
    assert rows.dtype == np.int64


def test_four_bytes_a_row_are_kept() -> None:
    strata = Strata.by_rarity(np.arange(1000, dtype=np.float32), 10)
    assert strata.order is not None
    assert strata.order.nbytes == 4000
    assert Strata.unranked(1000).order is None
