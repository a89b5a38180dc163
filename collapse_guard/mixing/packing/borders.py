"""Where each pack of a stream begins."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


def pack_starts(lengths: Iterable[int], most: int) -> npt.NDArray[np.int64]:
    """The first row of each pack, and where the last one ends.

    A pack takes the next row as long as it fits. Nothing is put into another order, which fills
    packs better and would void the floor.

    Args:
        lengths: Tokens of each row, at most `most`.
        most: Tokens that a pack has room for.

    Returns:
        int64 of shape (packs + 1,). No pack is without tokens, unless all rows are.

    Example:
        >>> pack_starts([3, 4, 1, 8, 2], most=8).tolist()
        [0, 3, 4, 5]
    """
    starts, filled, row = [0], 0, 0
    for row, length in enumerate(lengths, 1):
        filled += length
        if filled > most:
            starts.append(row - 1)
            filled = length
    return np.array([*starts, row], dtype=np.int64)
