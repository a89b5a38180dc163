"""One bit for each slot of a stream, and how many are set before any of them."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

_WORD = 64


class RankedBits:
    """Bits in 64-bit words, with the number of those set before each word: two bits a slot.

    Args:
        parts: bool of shape (n,) each, one after another; at least one bit in all.

    Example:
        >>> bits = RankedBits([np.array([True, False, True]), np.array([True])])
        >>> is_set, before = bits.locate(np.arange(4))
        >>> is_set.tolist(), before.tolist()
        ([True, False, True, True], [0, 1, 1, 2])
    """

    def __init__(self, parts: Iterable[npt.NDArray[np.bool_]]) -> None:
        words, left = [], np.zeros(0, dtype=np.bool_)
        for part in parts:
            bits = np.concatenate([left, part])
            whole = len(bits) // _WORD * _WORD
            words.append(_packed(bits[:whole]))
            left = bits[whole:]
        words.append(_packed(np.pad(left, (0, -len(left) % _WORD))))
        self._words = np.concatenate(words)
        counts = _set_bits(self._words)
        self._before = np.cumsum(counts) - counts

    def locate(
        self, places: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Whether each bit is set, and how many before it are.

        Args:
            places: int64 of shape (n,), each from 0 to below the number of bits.

        Returns:
            bool and int64 of shape (n,).
        """
        numbers, shifts = places // _WORD, (places % _WORD).astype(np.uint64)
        words = self._words[numbers]
        lower = words & ((np.uint64(1) << shifts) - np.uint64(1))
        is_set = ((words >> shifts) & np.uint64(1)).astype(np.bool_)
        return is_set, self._before[numbers] + _set_bits(lower)


def _packed(bits: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    packed: npt.NDArray[np.uint64] = np.packbits(bits, bitorder="little").view("<u8")
    return packed.astype(np.uint64, copy=False)


def _set_bits(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """How many bits of each word are set: sums of neighbours, of pairs, of groups of four ..."""
    # numpy counts bits itself from version 2 on, and 1.26 is supported.
    for shift, mask in ((1, 0x5555555555555555), (2, 0x3333333333333333), (4, 0x0F0F0F0F0F0F0F0F)):
        upper = (words >> np.uint64(shift)) & np.uint64(mask)
        words = (words & np.uint64(mask)) + upper
    return ((words * np.uint64(0x0101010101010101)) >> np.uint64(56)).astype(np.int64)
