from fractions import Fraction
from itertools import pairwise

from hypothesis import given, strategies as st

from collapse_guard.mixing.quotas.allocation import allocate, boost_weights

size_lists = st.lists(st.integers(1, 500), min_size=1, max_size=12)


@given(sizes=size_lists, boost=st.floats(1, 50), share=st.floats(0, 1), cap=st.integers(1, 6))
def test_draws_are_shared_out_whole_capped_and_never_falling(
    sizes: list[int], boost: float, share: float, cap: int
) -> None:
    draws = int(share * sum(sizes) * cap)
    weights = boost_weights(len(sizes), boost)
    turns = allocate(sizes, weights, draws=draws, max_repeats=cap)
    assert sum(turns) == draws
    assert all(0 <= turn <= size * cap for turn, size in zip(turns, sizes, strict=True))
    exposures = [Fraction(turn, size) for turn, size in zip(turns, sizes, strict=True)]
    roundings = [Fraction(1, size) for size in sizes]
    for (low, high), rounding in zip(pairwise(exposures), pairwise(roundings), strict=True):
        assert high > low - sum(rounding)


@given(sizes=size_lists, boost=st.floats(1, 50), share=st.floats(0, 1), cap=st.integers(1, 6))
def test_uncapped_strata_keep_their_ratio(
    sizes: list[int], boost: float, share: float, cap: int
) -> None:
    draws = int(share * sum(sizes) * cap)
    weights = boost_weights(len(sizes), boost)
    turns = allocate(sizes, weights, draws=draws, max_repeats=cap)
    level = _level_by_bisection(sizes, [float(w) for w in weights], draws, cap)
    for turn, size, weight in zip(turns, sizes, weights, strict=True):
        assert abs(turn - size * min(cap, level * float(weight))) < 1 + 1e-6


def _level_by_bisection(sizes: list[int], weights: list[float], draws: int, cap: int) -> float:
    low, high = 0.0, float(cap)
    for _ in range(200):
        level = (low + high) / 2
        total = sum(n * min(cap, level * w) for n, w in zip(sizes, weights, strict=True))
        low, high = (level, high) if total < draws else (low, level)
    return high


def test_weights_run_from_one_to_the_boost() -> None:
    assert boost_weights(5, 3.0) == [1, Fraction(3, 2), 2, Fraction(5, 2), 3]
    assert boost_weights(1, 3.0) == [1]
    assert boost_weights(2, 1.0) == [1, 1]


def test_what_the_cap_cuts_off_goes_to_the_others() -> None:
    weights = boost_weights(3, 9.0)  # 1, 5, 9: without a cap 10, 50 and 90 draws
    assert allocate([50] * 3, weights, draws=150, max_repeats=9) == [10, 50, 90]
    assert allocate([50] * 3, weights, draws=150, max_repeats=1) == [50, 50, 50]
    capped = allocate([60] * 3, weights, draws=150, max_repeats=1)
    assert capped == [30, 60, 60]
