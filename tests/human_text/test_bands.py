import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.human_text.bands import band_cutoffs

counts_of_types = st.lists(st.integers(0, 40), min_size=1, max_size=60).filter(any)


def naive_tail_cutoff(counts: list[int], tail_mass: float) -> int:
    best = 0
    for level in sorted(set(counts) - {0}):
        if sum(c for c in counts if c <= level) <= tail_mass * sum(counts):
            best = level
    return best


def naive_head_cutoff(counts: list[int], head_mass: float) -> int:
    for level in sorted(set(counts) - {0}, reverse=True):
        if sum(c for c in counts if c >= level) >= head_mass * sum(counts):
            return level
    raise AssertionError


@given(counts_of_types, st.floats(0.01, 0.49))
def test_cutoffs_follow_the_definition(counts: list[int], tail_mass: float) -> None:
    cutoffs = band_cutoffs(np.array(counts), tail_mass=tail_mass)
    assert cutoffs.tail == naive_tail_cutoff(counts, tail_mass)
    assert cutoffs.head == naive_head_cutoff(counts, 0.5)


@given(counts_of_types, st.floats(0.01, 0.49))
def test_head_and_tail_never_meet(counts: list[int], tail_mass: float) -> None:
    cutoffs = band_cutoffs(np.array(counts), tail_mass=tail_mass)
    assert cutoffs.head > cutoffs.tail


def test_ties_never_split() -> None:
    # Five types of count 2 hold half of the tokens: no one of them can be tail without the others.
    assert band_cutoffs(np.array([10, 2, 2, 2, 2, 2]), tail_mass=0.3).tail == 0


@pytest.mark.parametrize("tail_mass", [0.0, 0.5, -0.1, float("nan")])
def test_tail_mass_out_of_range(tail_mass: float) -> None:
    with pytest.raises(ArgumentError, match="`tail_mass` expected a share"):
        band_cutoffs(np.array([1, 2]), tail_mass=tail_mass)


@pytest.mark.parametrize("head_mass", [0.0, 0.6])
def test_head_mass_out_of_range(head_mass: float) -> None:
    with pytest.raises(ArgumentError, match="`head_mass` expected a share"):
        band_cutoffs(np.array([1, 2]), head_mass=head_mass)


def test_nothing_counted() -> None:
    with pytest.raises(ArgumentError, match="`counts` expected at least one token"):
        band_cutoffs(np.zeros(3, dtype=np.int64))
