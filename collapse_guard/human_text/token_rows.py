"""Rows of tokens end to end, which is what numpy is fast on."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.errors import bad_argument

Ids = npt.NDArray[np.int64]


class TokenRows(NamedTuple):
    """Some rows of tokens.

    Attributes:
        ids: int64 of shape (tokens,), the rows end to end.
        lengths: int64 of shape (rows,), tokens of each.

    Example:
        >>> rows = TokenRows.of([[1, 2], [], [3]])
        >>> rows.ids.tolist(), rows.lengths.tolist(), [ids.tolist() for ids in rows.split()]
        ([1, 2, 3], [2, 0, 1], [[1, 2], [], [3]])
    """

    ids: Ids
    lengths: Ids

    @classmethod
    def of(cls, rows: Sequence[Sequence[int] | npt.NDArray[np.integer[Any]]]) -> "TokenRows":
        """Rows that are sequences of whole numbers, joined."""
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        if rows and isinstance(rows[0], list):
            return cls(np.fromiter(chain.from_iterable(rows), np.int64, lengths.sum()), lengths)
        arrays: Iterable[Any] = (np.asarray(row, dtype=np.int64) for row in rows)
        return cls(np.concatenate([np.zeros(0, np.int64), *arrays]), lengths)

    @classmethod
    def of_arrow(cls, values: Any) -> "TokenRows":
        """Rows out of an Arrow column of lists, without a Python object for a row.

        Args:
            values: A `pyarrow.ChunkedArray` of lists of whole numbers, or of the truth values of a
                mask; a list that is missing is one without tokens.

        Raises:
            ArgumentError: The lists hold something else, or a number within one is missing.
        """
        chunks = [chunk for chunk in values.chunks if len(chunk)]
        lengths = [
            chunk.value_lengths().fill_null(0).to_numpy(zero_copy_only=False) for chunk in chunks
        ]
        flat = [chunk.flatten() for chunk in chunks]
        if any(ids.null_count or not re.search("int|bool", str(ids.type)) for ids in flat):
            raise bad_argument(
                "column",
                expected="token ids in every place of every row",
                given=f"{values.type}, or nulls among it",
                hint="tokenize the text first, and leave rows with missing ids out",
            )
        ids = [each.to_numpy(zero_copy_only=False) for each in flat]
        return cls(
            np.concatenate([np.zeros(0, np.int64), *ids]).astype(np.int64, copy=False),
            np.concatenate([np.zeros(0, np.int64), *lengths]).astype(np.int64, copy=False),
        )

    def split(self) -> list[Ids]:
        """The rows one by one: views, each int64 of shape (tokens of the row,)."""
        return np.split(self.ids, np.cumsum(self.lengths)[:-1]) if len(self.lengths) else []

    def masked(self, mask: npt.NDArray[np.bool_]) -> "TokenRows":
        """The rows without the tokens where `mask`, bool of shape (tokens,), is False."""
        rows = np.repeat(np.arange(len(self.lengths)), self.lengths)[mask]
        return TokenRows(self.ids[mask], np.bincount(rows, minlength=len(self.lengths)))
