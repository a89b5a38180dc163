import math
from decimal import Decimal
from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing.quota import Quota
from tests.mixing import naive

fractions = st.fractions(0, 1, max_denominator=1000) | st.floats(0, 1).map(
    lambda f: Fraction(str(f))
)


@given(fraction=fractions, block_size=st.integers(1, 300), start=st.integers(0, 10**12))
def test_every_window_holds_the_floor(fraction: Fraction, block_size: int, start: int) -> None:
    quota = Quota.of(fraction, block_size)
    human = quota.is_human(np.arange(start, start + 2 * block_size + 5))
    before = np.concatenate([[0], np.cumsum(human)])
    for n in range(len(human) + 1):
        in_window = before[n:] - before[: len(before) - n]
        assert in_window.min() >= math.floor(n * fraction)
        assert in_window.max() <= math.ceil(Fraction(n * quota.human_per_block, block_size))


@given(
    fraction=fractions,
    block_size=st.integers(1, 300),
    blocks=st.integers(1, 5),
    start=st.integers(0, 10**12),
)
def test_every_batch_of_whole_blocks_holds_its_share_wherever_it_starts(
    fraction: Fraction, block_size: int, blocks: int, start: int
) -> None:
    batch = blocks * block_size
    human = Quota.of(fraction, block_size).is_human(np.arange(start, start + batch))
    assert human.sum() >= math.ceil(fraction * batch)


@given(fraction=fractions, block_size=st.integers(1, 100))
def test_slots_agree_with_a_running_account(fraction: Fraction, block_size: int) -> None:
    human = Quota.of(fraction, block_size).is_human(np.arange(3 * block_size))
    assert human.tolist() == list(islice(naive.human_slots(fraction, block_size), 3 * block_size))


@given(fraction=fractions, block_size=st.integers(1, 100), slot=st.integers(0, 10**9))
def test_human_before_counts_the_human_slots(
    fraction: Fraction, block_size: int, slot: int
) -> None:
    quota = Quota.of(fraction, block_size)
    start = slot - slot % block_size
    within = quota.is_human(np.arange(start, slot)).sum()
    counted = quota.human_before(np.array([slot]))[0]
    assert counted == start // block_size * quota.human_per_block + within


@pytest.mark.parametrize(
    ("fraction", "block_size", "per_block"),
    [
        (0.3, 10, 3),  # the float 0.3 is below 3/10
        (0.1, 10, 1),  # the float 0.1 is above 1/10: its ceiling would be 2
        (0.1, 30, 3),
        (0.7, 10, 7),
        (1e-05, 8, 1),
        (np.float32(0.3), 10, 3),
        (np.float64(0.07), 100, 7),
        (Decimal("0.3"), 10, 3),
        (Fraction(1, 3), 9, 3),
        (0.33, 9, 3),
        (0, 8, 0),
        (0.0, 8, 0),
        (1, 8, 8),
        (1.0, 1, 1),
        (0.01, 1, 1),
    ],
)
def test_fractions_are_read_as_they_are_written(
    fraction: float, block_size: int, per_block: int
) -> None:
    assert Quota.of(fraction, block_size).human_per_block == per_block


@pytest.mark.parametrize(
    "fraction",
    [-0.1, 1.1, math.nan, math.inf, "0.3", None, True, Decimal("NaN"), 1 + 0j, Fraction(4, 3)],
)
def test_anything_but_a_share_is_refused(fraction: object) -> None:
    with pytest.raises(ArgumentError, match="`human_fraction` expected a number from 0 to 1"):
        Quota.of(fraction, 8)


@pytest.mark.parametrize("block_size", [0, -1, 2.0, "8", None, True, 2**31])
def test_a_block_must_be_a_whole_number_of_slots(block_size: object) -> None:
    with pytest.raises(ArgumentError, match="`block_size` expected a whole number from 1"):
        Quota.of(0.5, block_size)
