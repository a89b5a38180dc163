"""A few out of many, at even distances."""

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
