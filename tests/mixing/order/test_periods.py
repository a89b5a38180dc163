import numpy as np
from hypothesis import given, strategies as st

from collapse_guard.mixing.order.periods import locate_periods

# The period of each stretch, and how many of them it has.
stretches = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 5)), min_size=1, max_size=5)


@given(stretches=stretches)
def test_numbers_are_where_walking_along_finds_them(stretches: list[tuple[int, int]]) -> None:
    walked = [
        (stretch, whole, place)
        for stretch, (period, periods) in enumerate(stretches)
        for whole in range(periods)
        for place in range(period)
    ]
    lengths = [period * periods for period, periods in stretches]
    firsts = np.cumsum([0, *lengths[:-1]])
    periods = np.array([period for period, _ in stretches])
    found = locate_periods(np.arange(len(walked)), firsts, periods)
    columns = np.broadcast_arrays(*found)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == walked


def test_the_last_stretch_goes_on_for_ever() -> None:
    _, whole, place = locate_periods(np.array([10**12]), np.array([0, 4]), np.array([2, 3]))
    assert (whole.tolist(), place.tolist()) == ([(10**12 - 4) // 3], [(10**12 - 4) % 3])
