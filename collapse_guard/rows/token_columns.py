"""Reads columns of whole numbers, and of text, straight out of Arrow buffers."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

# uint64 is left out: its upper half has no place in int64.
_NUMBER = r"(u?int(8|16|32)|int64)"
_NUMBERS = re.compile(_NUMBER)
_LISTS = re.compile(rf"(large_)?list<\w+: {_NUMBER}( not null)?>")
_FIXED_LISTS = re.compile(rf"fixed_size_list<\w+: {_NUMBER}( not null)?>\[\d+\]")

# Arrow's names of its text types, and what their offsets are.
_TEXTS = {"string": np.int32, "large_string": np.int64}

_Integers = npt.NDArray[np.integer[Any]]


_FEW = 4
"""Pieces up to which one array operation for each costs less than one for each row."""


class StoredColumn(ABC):
    """One column of views on Arrow buffers, one piece after another; nothing is copied to make it.

    Args:
        sizes: Rows of each piece. Their rows count on from piece to piece.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._ends = np.cumsum(sizes, dtype=np.int64)
        self._starts = self._ends - sizes

    @abstractmethod
    def read(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64] | list[Any]:
        """The rows with these numbers, in memory of their own.

        Args:
            rows: int64 of shape (n,), from 0 to below the number of rows.

        Returns:
            int64 of shape (n,) or (n, width), or a list of n values.
        """

    def _places(self, rows: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
        """The piece that each row lies in, and its number there."""
        pieces = np.searchsorted(self._ends, rows, side="right")
        places = rows - self._starts[pieces]
        return list(zip(pieces.tolist(), places.tolist(), strict=True))


class EvenColumn(StoredColumn):
    """A column in which every row is a whole number, or a list of as many as in every other.

    Args:
        pieces: Integers of shape (rows,) or (rows, width) each, at least one, of one width.

    Example:
        >>> column = EvenColumn([np.array([[1, 2], [3, 4]]), np.array([[5, 6]])])
        >>> column.read(np.array([2, 0])).tolist()
        [[5, 6], [1, 2]]
    """

    def __init__(self, pieces: Sequence[_Integers]) -> None:
        super().__init__([len(piece) for piece in pieces])
        self._pieces = pieces

    def read(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """As `StoredColumn.read`: int64 of shape (n,) or (n, width)."""
        if len(self._pieces) <= _FEW:
            return self._of_few(rows).astype(np.int64)
        out = np.empty((len(rows), *self._pieces[0].shape[1:]), dtype=np.int64)
        # A data set that was written to disk has a piece for every 1,000 rows, so that nearly every
        # row of a batch lies in another: one array operation a piece would cost ten times as much.
        for row, (piece, place) in enumerate(self._places(rows)):
            out[row] = self._pieces[piece][place]
        return out

    def _of_few(self, rows: npt.NDArray[np.int64]) -> _Integers:
        # What lies in a later piece is read from the end of this one, and then from its own: that
        # takes two thirds of the time that telling them apart first does.
        first, *others = self._pieces
        stored = first.take(rows, axis=0, mode="clip" if others else "raise")
        for number, piece in enumerate(others, start=1):
            later = (rows >= self._starts[number]).nonzero()[0]
            places = rows[later] - self._starts[number]
            is_last = number == len(others)
            stored[later] = piece.take(places, axis=0, mode="raise" if is_last else "clip")
        return stored


class _SlicedColumn(StoredColumn):
    """A column whose values are slices of several lengths."""

    def __init__(self, pieces: Sequence[tuple[_Integers, Any]]) -> None:
        super().__init__([len(offsets) - 1 for offsets, _ in pieces])
        self._pieces = pieces

    def read(self, rows: npt.NDArray[np.int64]) -> list[Any]:
        """As `StoredColumn.read`."""
        out = []
        for piece, place in self._places(rows):
            offsets, stored = self._pieces[piece]
            out.append(self._value(stored[offsets[place] : offsets[place + 1]]))
        return out

    def _value(self, stored: Any) -> Any:
        raise NotImplementedError


class RaggedColumn(_SlicedColumn):
    """A column of lists of several lengths.

    Args:
        pieces: The offsets and the values of each piece: integers of shape (rows + 1,), where each
            row begins and the last one ends, and integers of shape (values,).

    Example:
        >>> column = RaggedColumn([(np.array([0, 1, 3]), np.array([7, 8, 9]))])
        >>> [row.tolist() for row in column.read(np.array([1, 0]))]
        [[8, 9], [7]]
    """

    def _value(self, stored: _Integers) -> npt.NDArray[np.int64]:
        return stored.astype(np.int64)


class TextColumn(_SlicedColumn):
    """A column of text.

    Args:
        pieces: The offsets and the UTF-8 bytes of each piece: integers of shape (rows + 1,), where
            each row begins and the last one ends, and a buffer.

    Example:
        >>> TextColumn([(np.array([0, 1, 3]), memoryview(b"abc"))]).read(np.array([1, 0]))
        ['bc', 'a']
    """

    def _value(self, stored: memoryview) -> str:
        return str(stored, "utf-8")


def text_column(column: Any) -> TextColumn | None:
    """The views on a column, or None where it holds anything but text.

    Args:
        column: A `pyarrow.ChunkedArray`.
    """
    dtype = _TEXTS.get(str(column.type))
    chunks = [chunk for chunk in column.chunks if len(chunk)]
    if dtype is None or not chunks or any(chunk.null_count for chunk in chunks):
        return None
    pieces = []
    for chunk in chunks:
        _, offsets, letters = chunk.buffers()
        whole = np.frombuffer(offsets, dtype=dtype)
        part = whole[chunk.offset : chunk.offset + len(chunk) + 1]
        pieces.append((part, memoryview(b"" if letters is None else letters)))
    return TextColumn(pieces)


def token_column(column: Any) -> EvenColumn | RaggedColumn | None:
    """The views on a column, or None where it holds anything but whole numbers or lists of them.

    Args:
        column: A `pyarrow.ChunkedArray`. It is asked for its chunks, and they for their buffers, so
            that pyarrow need not be imported here.
    """
    chunks = [chunk for chunk in column.chunks if len(chunk)]
    arrow_type = str(column.type)
    if not chunks or any(chunk.null_count for chunk in chunks):
        return None
    if _NUMBERS.fullmatch(arrow_type):
        return EvenColumn([_view(chunk) for chunk in chunks])
    fixed = _FIXED_LISTS.fullmatch(arrow_type)
    if not (fixed or _LISTS.fullmatch(arrow_type)):
        return None
    if any(chunk.values.null_count for chunk in chunks):
        return None
    values = [_view(chunk.values) for chunk in chunks]
    if fixed:
        width = column.type.list_size
        starts = [chunk.offset * width for chunk in chunks]
    else:
        offsets = [_view(chunk.offsets) for chunk in chunks]
        width = int(offsets[0][1] - offsets[0][0])
        if not all(_equally_far_apart(part, width) for part in offsets):
            return RaggedColumn(list(zip(offsets, values, strict=True)))
        starts = [int(part[0]) for part in offsets]
    return EvenColumn(
        [
            part[start : start + len(chunk) * width].reshape(len(chunk), width)
            for part, start, chunk in zip(values, starts, chunks, strict=True)
        ]
    )


def _equally_far_apart(offsets: _Integers, width: int, *, at_once: int = 1 << 20) -> bool:
    # In parts, because the differences of 100 million offsets would be no small array.
    cuts = [*range(0, len(offsets) - 1, at_once), len(offsets) - 1]
    parts = (offsets[first : last + 1] for first, last in pairwise(cuts))
    return all((np.diff(part) == width).all() for part in parts)


def _view(array: Any) -> _Integers:
    view: _Integers = array.to_numpy(zero_copy_only=True)
    return view
