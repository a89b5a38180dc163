import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.mixing.tokens.ranked_bits import RankedBits


@given(sizes=st.lists(st.integers(0, 200), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_bits_and_ranks_are_those_of_the_parts(sizes: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    parts = [generator.random(size) < generator.random() for size in sizes]
    every = np.concatenate(parts)
    is_set, before = RankedBits(parts).locate(np.arange(len(every)))
    assert is_set.tolist() == every.tolist()
    assert before.tolist() == (np.cumsum(every) - every).tolist()


@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("size", [1, 63, 64, 65, 128])
def test_words_that_are_full_or_empty(size: int, value: bool) -> None:
    is_set, before = RankedBits([np.full(size, value)]).locate(np.array([size - 1, 0]))
    assert is_set.tolist() == [value, value]
    assert before.tolist() == [value * (size - 1), 0]


def test_a_slot_takes_two_bits() -> None:
    bits = RankedBits([np.ones(64_000, dtype=np.bool_)])
    assert bits._words.nbytes + bits._before.nbytes < 64_000 / 4 * 1.01
