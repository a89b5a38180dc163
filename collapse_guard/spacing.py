"""A few out of many, at even distances."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def evenly_spaced(count: int, many: int) -> npt.NDArray[np.int64]:
    """Numbers from 0 to `many` - 1 at even distances, the first and the last among them.

    Args:
        count: How many, at least 0; above `many` some come twice.
        many: Out of how many, at least 1.

    Returns:
        int64 of shape (count,), rising; 0 alone where one is asked for.

    Example:
        >>> evenly_spaced(3, 9).tolist()
        [0, 4, 8]
    """
    return np.linspace(0, many - 1, count).round().astype(np.int64)


def thinned_out(steps: Sequence[float], keep: int) -> list[int]:
    """Places of the first, the last, and of those between that lie far enough from each other.

    Args:
        steps: Upwards, at least one.
        keep: About how many to keep: between them lies at least so much of the whole way.

    Returns:
        Upwards; of steps that lie evenly at least a third of `keep`, and at most one more than it.

    Example:
        >>> thinned_out([0, 1, 2, 3, 4, 10, 11, 20], keep=5)
        [0, 4, 5, 7]
    """
    apart, places = (steps[-1] - steps[0]) / keep, [0]
    for place in range(1, len(steps) - 1):
        if steps[place] >= steps[places[-1]] + apart:
            places.append(place)
    return [*places, len(steps) - 1] if len(steps) > 1 else places
