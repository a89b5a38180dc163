from fractions import Fraction

from hypothesis import given, strategies as st

from collapse_guard.mixing.quotas.apportion import apportion


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
    shares = apportion(total, weights, least, most)
    assert sum(shares) == total
    assert all(a <= share <= b for a, share, b in zip(least, shares, most, strict=True))


@given(problem=problems())
def test_they_stand_at_one_level(
    problem: tuple[int, list[Fraction], list[int], list[int]],
) -> None:
    total, weights, least, most = problem
    shares = apportion(total, weights, least, most)
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
    assert apportion(0, [], [], []) == []
