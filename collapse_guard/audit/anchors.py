"""A few shingles stand for a row: whoever holds two of them may hold most of the row."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.row_shingles import HASH_BITS, RowShingles

Ids = npt.NDArray[np.int64]
Anchors = npt.NDArray[np.uint32]

ANCHORS = 8
"""Shingles that stand for a row: those of least hash, so that equal rows have equal ones."""

_NEEDED = 2
_MOST_OWNERS = 16
# Verified on all shingles, so that 32 bits that agree by chance do no harm.
_SHIFT = np.uint64(HASH_BITS - 32)
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


def missed(share: float) -> float:
    """At most with what probability a row is not found of which this share stands in another.

    Its eight anchors are like draws from its shingles, and two have to stand there: one is not
    enough, since short runs are common to many rows.

    Example:
        >>> round(missed(0.8), 5), round(missed(0.5), 3)
        (8e-05, 0.035)
    """
    return (1 - share) ** ANCHORS + ANCHORS * share * (1 - share) ** (ANCHORS - 1)


def row_anchors(shingles: RowShingles) -> Anchors:
    """The anchors of some rows.

    Returns:
        uint32 of shape (rows, ANCHORS). A row with fewer shingles has its first one again in the
        places that are left; one with none has zeros, which mean nothing.
    """
    sizes, owners = shingles.sizes, shingles.owners
    starts = np.cumsum(sizes) - sizes
    nth = np.arange(len(owners)) - starts[owners]
    least = nth < ANCHORS
    found = np.zeros((len(sizes), ANCHORS), dtype=np.uint32)
    hashes = (shingles.hashes[least] >> _SHIFT).astype(np.uint32)
    found[owners[least], nth[least]] = hashes
    fewer = np.arange(ANCHORS) >= sizes[:, None]
    return np.where(fewer, found[:, :1], found)


class Held(NamedTuple):
    """Rows that hold some of the anchors of another.

    Attributes:
        rows: int64 of shape (pairs,), places of the rows that were looked up, rising.
        owners: int64 of shape (pairs,), whose anchors they hold; rising for each row.
        anchors: int64 of shape (pairs,), how many of them they hold.
    """

    rows: Ids
    owners: Ids
    anchors: Ids


class AnchorTable:
    """Who has which anchors.

    Keeps 64 bytes of each owner, and 8 to 16 more.

    Args:
        parts: The owners, some at a time: their numbers, int64 of shape (owners,), below 2^32;
            their anchors, uint32 of shape (owners, ANCHORS), of `row_anchors`; and how many
            shingles each has, of shape (owners,). Those that have none are not looked up.
        count: How many anchors that makes, `num_anchors`.
    """

    def __init__(self, parts: Iterable[tuple[Ids, Anchors, npt.NDArray[Any]]], count: int) -> None:
        packed = np.empty(count, dtype=np.uint64)
        start = 0
        for owners, anchors, sizes in parts:
            counts = np.minimum(sizes, ANCHORS)
            own = anchors[np.arange(ANCHORS) < counts[:, None]].astype(np.uint64) << _HALF
            packed[start : start + len(own)] = own | np.repeat(owners, counts).astype(np.uint64)
            start += len(own)
        packed.sort()
        self._packed = packed
        bits = 8 * max(len(packed), 8)
        self._mask = np.uint64((1 << (bits - 1).bit_length()) - 1)
        # Most shingles are nobody's anchor: a look at one bit spares them a search.
        self._bits = np.zeros((int(self._mask) + 1) // 8, dtype=np.uint8)
        for start in range(0, len(packed), 1 << 16):
            byte, bit = self._places(packed[start : start + (1 << 16)] >> _HALF)
            np.bitwise_or.at(self._bits, byte, bit)

    def look_up(self, shingles: RowShingles) -> Held:
        """Which rows hold anchors of an owner, and how many: see `enough`.

        Of an anchor that many have, the first 16 owners are looked at.

        Args:
            shingles: Of the rows to look up.
        """
        wanted = shingles.hashes >> _SHIFT
        byte, bit = self._places(wanted)
        maybe = np.flatnonzero(self._bits[byte] & bit)
        wanted, rows = wanted[maybe], shingles.owners[maybe]
        place = np.searchsorted(self._packed, wanted << _HALF)
        found = []
        for _ in range(_MOST_OWNERS):
            inside = place < len(self._packed)
            rows, wanted, place = rows[inside], wanted[inside], place[inside]
            entry = self._packed[place]
            same = (entry >> _HALF) == wanted
            rows, wanted, place = rows[same], wanted[same], place[same] + 1
            found.append((rows.astype(np.uint64) << _HALF) | (entry[same] & _LOW))
        pairs, counts = np.unique(np.concatenate(found), return_counts=True)
        return Held((pairs >> _HALF).astype(np.int64), (pairs & _LOW).astype(np.int64), counts)

    def _places(self, anchors: npt.NDArray[np.uint64]) -> tuple[Ids, npt.NDArray[np.uint8]]:
        # Anchors are least hashes, whose high bits are much alike.
        place = (anchors * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20) & self._mask
        bit = np.left_shift(np.uint8(1), (place & np.uint64(7)).astype(np.uint8))
        return (place >> np.uint64(3)).astype(np.int64), bit


def num_anchors(sizes: npt.NDArray[Any]) -> int:
    """How many anchors rows of so many shingles have."""
    return int(np.minimum(sizes, ANCHORS).sum(dtype=np.int64))


def enough(held: Held, sizes: Ids, share: float) -> npt.NDArray[np.bool_]:
    """Which pairs have enough anchors in common to be compared, bool of shape (pairs,).

    Args:
        held: The pairs.
        sizes: int64 of shape (pairs,), how many shingles the owner of each has.
        share: Least share of the owner's shingles that is looked for.
    """
    # Where a row has up to two shingles, its anchors are all there are.
    needed = np.minimum(np.ceil(share * sizes - 1e-9), _NEEDED)
    has_enough: npt.NDArray[np.bool_] = held.anchors >= needed
    return has_enough
