"""How long windows should be, by how long documents are."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_WINDOWS = (128, 96, 64, 48, 32, 24, 16, 8)
_OF_USE = 100
"""Documents from which on more of them are not worth a shorter context."""


def best_window(documents: Sequence[npt.NDArray[np.int64]], most: int | None) -> int:
    """The longest window that leaves most documents in, or enough.

    Args:
        documents: As token ids, int64 of shape (tokens,) each.
        most: Tokens that the model can read at once; None where it says nothing.
    """
    lengths = np.array([len(each) for each in documents])
    enough = max(min(_OF_USE, 2 * np.count_nonzero(lengths >= _WINDOWS[-1]) / 3), 1)
    fitting = [each for each in _WINDOWS if most is None or each <= most]
    for window in fitting:
        if np.count_nonzero(lengths >= window) >= enough:
            return window
    return (fitting or _WINDOWS)[-1]
