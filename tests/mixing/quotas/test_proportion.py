from fractions import Fraction
from itertools import pairwise

from hypothesis import given, strategies as st

from collapse_guard.mixing.quotas.proportion import split_draws, split_in_proportion
from collapse_guard.mixing.strata.boost import RareBoost


@st.composite
def problems(draw: st.DrawFn) -> tuple[int, list[Fraction], list[int], list[int]]:
    count = draw(st.integers(1, 8))
    least = [draw(st.integers(0, 30)) for _ in range(count)]
    most = [low + draw(st.integers(0, 60)) for low in least]
    weights = [draw(st.fractions("1/50", 50, max_denominator=50)) for _ in range(count)]
    return draw(st.integers(sum(least), sum(most))), weights, least, most


@given(problem=problems())
def test_shares_are_whole_within_their_limits_and_add_up(
    problem: tuple[int, list[Fraction], list[int], list[int]],
) -> None:
    total, weights, least, most = problem
    shares = split_in_proportion(total, weights, least, most)
    assert sum(shares) == total
    assert all(a <= share <= b for a, share, b in zip(least, shares, most, strict=True))


@given(problem=problems())
def test_they_stand_at_one_level(
    problem: tuple[int, list[Fraction], list[int], list[int]],
) -> None:
    total, weights, least, most = problem
    shares = split_in_proportion(total, weights, least, most)
    level = _level_by_bisection(total, weights, least, most)
    for share, weight, low, high in zip(shares, weights, least, most, strict=True):
        assert abs(share - min(max(level * float(weight), low), high)) < 1 + 1e-6


def _level_by_bisection(
    total: int, weights: list[Fraction], least: list[int], most: list[int]
) -> float:
    low, high = 0.0, max(b / float(w) for b, w in zip(most, weights, strict=True)) + 1
    for _ in range(200):
        level = (low + high) / 2
        limits = zip(weights, least, most, strict=True)
        reached = sum(min(max(level * float(w), a), b) for w, a, b in limits)
        low, high = (level, high) if reached < total else (low, level)
    return low


def test_nothing_is_shared_out_among_none() -> None:
    assert split_in_proportion(0, [], [], []) == []


size_lists = st.lists(st.integers(1, 500), min_size=1, max_size=12)


@given(sizes=size_lists, boost=st.floats(1, 50), share=st.floats(0, 1), cap=st.integers(1, 6))
def test_draws_are_split_whole_capped_and_never_falling(
    sizes: list[int], boost: float, share: float, cap: int
) -> None:
    draws = int(share * sum(sizes) * cap)
    weights = RareBoost(boost, by=len).weights(len(sizes))
    turns = split_draws(sizes, weights, draws=draws, max_repeats=cap)
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
    weights = RareBoost(boost, by=len).weights(len(sizes))
    turns = split_draws(sizes, weights, draws=draws, max_repeats=cap)
    level = _level_of_strata(sizes, [float(w) for w in weights], draws, cap)
    for turn, size, weight in zip(turns, sizes, weights, strict=True):
        assert abs(turn - size * min(cap, level * float(weight))) < 1 + 1e-6


def _level_of_strata(sizes: list[int], weights: list[float], draws: int, cap: int) -> float:
    low, high = 0.0, float(cap)
    for _ in range(200):
        level = (low + high) / 2
        total = sum(n * min(cap, level * w) for n, w in zip(sizes, weights, strict=True))
        low, high = (level, high) if total < draws else (low, level)
    return high


def test_what_the_cap_cuts_off_goes_to_the_others() -> None:
    weights = RareBoost(9.0, by=len).weights(3)  # 1, 5, 9: without a cap 10, 50 and 90 draws
    assert split_draws([50] * 3, weights, draws=150, max_repeats=9) == [10, 50, 90]
    assert split_draws([50] * 3, weights, draws=150, max_repeats=1) == [50, 50, 50]
    capped = split_draws([60] * 3, weights, draws=150, max_repeats=1)
    assert capped == [30, 60, 60]


def test_strata_without_rows_or_weight_get_no_draws() -> None:
    one = Fraction(1)
    assert split_draws([0, 10], [one, one], draws=10, max_repeats=2) == [0, 10]
    assert split_draws([10, 10], [Fraction(0), one], draws=20, max_repeats=2) == [0, 20]
