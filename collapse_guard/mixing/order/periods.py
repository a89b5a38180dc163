"""Numbers on a line of stretches, each of which repeats with a period of its own."""

import numpy as np
import numpy.typing as npt

from collapse_guard.mixing.order.interleave import Patterns

Numbers = npt.NDArray[np.int64]


def locate_periods(
    numbers: Numbers, firsts: Numbers, periods: Numbers
) -> tuple[Patterns, Numbers, Numbers]:
    """The stretch of each number, its period within the stretch, and its place in the period.

    Args:
        numbers: int64 of any shape, at least `firsts[0]`.
        firsts: int64 of shape (stretches,), rising: where each stretch begins.
        periods: int64 of shape (stretches,), at least 1.

    Returns:
        The stretch: int64 of the shape of `numbers`, or 0 where there is but one; and two int64
        arrays of that shape.

    Example:
        >>> firsts, periods = np.array([0, 4]), np.array([2, 3])
        >>> stretch, period, place = locate_periods(np.arange(6), firsts, periods)
        >>> stretch.tolist(), period.tolist(), place.tolist()
        ([0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 0, 0], [0, 1, 0, 1, 0, 1])
    """
    stretches: Patterns = 0
    if len(firsts) > 1:
        stretches = np.searchsorted(firsts, numbers, side="right") - 1
    whole, places = np.divmod(numbers - firsts[stretches], periods[stretches])
    return stretches, whole, places
