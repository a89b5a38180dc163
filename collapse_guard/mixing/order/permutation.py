"""Seeded permutations that need no memory: any element of any of them, in O(1)."""

import numpy as np
import numpy.typing as npt

from collapse_guard.scrambling import scramble

# Three steps on either half. Two would let the halves of an element show through; the tests
# compare positions, neighbours and whole orders with true random permutations.
_STEPS = 6
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: well spread multiples


def derive_keys(
    keys: npt.NDArray[np.uint64], *numbers: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint64]:
    """New keys from keys and numbers, unrelated wherever any of these differs.

    Args:
        keys: uint64 of shape (n,).
        numbers: Each int64 of shape (n,), at least 0.

    Returns:
        uint64 of shape (n,).
    """
    for number in numbers:
        keys = scramble(keys + _GOLDEN * (number.astype(np.uint64) + np.uint64(1)))
    return keys


def permute(
    places: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], keys: npt.NDArray[np.uint64]
) -> npt.NDArray[np.int64]:
    """The element at each place of the permutation of range(size) that each key names.

    A Feistel network on a grid of about sqrt(size) x sqrt(size) cells, which moves one half a step;
    an element that lands on one of the fewer than sqrt(size) cells too many is sent on until it
    lands inside (cycle walking; Black and Rogaway, CT-RSA 2002), which keeps it a bijection.

    Args:
        places: int64 of shape (n,), each at least 0 and below its size.
        sizes: int64 of shape (n,), each from 1 to 2**31 - 1.
        keys: uint64 of shape (n,).

    Returns:
        int64 of shape (n,), each at least 0 and below its size.

    Example:
        >>> order = permute(np.arange(8), np.full(8, 8), np.full(8, 7, dtype=np.uint64))
        >>> sorted(order.tolist())
        [0, 1, 2, 3, 4, 5, 6, 7]
    """
    heights = np.ceil(np.sqrt(sizes)).astype(np.uint64)
    limits = sizes.astype(np.uint64)
    widths = (limits + heights - np.uint64(1)) // heights
    elements = _moved(places.astype(np.uint64), heights, widths, keys)
    outside = np.flatnonzero(elements >= limits)
    while outside.size:
        elements[outside] = _moved(
            elements[outside], heights[outside], widths[outside], keys[outside]
        )
        outside = outside[elements[outside] >= limits[outside]]
    return elements.astype(np.int64)


def _moved(
    cells: npt.NDArray[np.uint64],
    heights: npt.NDArray[np.uint64],
    widths: npt.NDArray[np.uint64],
    keys: npt.NDArray[np.uint64],
) -> npt.NDArray[np.uint64]:
    """One permutation of the cells of a height x width grid."""
    rows, columns = np.divmod(cells, widths)
    for _ in range(_STEPS // 2):
        keys = keys + _GOLDEN
        # The upper half of the word: the sum must not wrap around before the remainder is taken.
        rows = (rows + (scramble(columns + keys) >> np.uint64(32))) % heights
        keys = keys + _GOLDEN
        columns = (columns + (scramble(rows + keys) >> np.uint64(32))) % widths
    moved: npt.NDArray[np.uint64] = rows * widths + columns
    return moved
