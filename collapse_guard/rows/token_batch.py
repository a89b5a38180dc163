"""A batch of rows that is kept in columns until somebody asks for the rows."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt
import torch

# The values of a column: int64 of shape (n,) or (n, width), or n arrays of several lengths.
Tokens = npt.NDArray[np.int64] | list[Any]


class TokenBatch(list[Any]):
    """A list of rows, each a dict from column to value, that is filled when it is looked at.

    A collator that takes whole columns (`MixCollator`) never looks. To any other this is the list
    of rows that the data sets themselves would have given, in their own format.

    Args:
        columns: int64 of shape (n,) or (n, width), or n int64 arrays, by name; in memory of the
            batch's own.
        row_format: The format of the data sets, one of `ROW_FORMATS`.
        read_others: Reads the columns that hold no tokens, by name; n values each.
        others_are_text: Whether a collator may do without those.

    Example:
        >>> batch = TokenBatch({"input_ids": np.array([[1, 2], [3, 4]])}, row_format=None)
        >>> batch.unread_columns["input_ids"].shape
        (2, 2)
        >>> batch[1]
        {'input_ids': [3, 4]}
    """

    def __init__(
        self,
        columns: Mapping[str, Tokens],
        *,
        row_format: str | None,
        read_others: Callable[[], Mapping[str, Sequence[Any]]] = dict,
        others_are_text: bool = True,
        order: Sequence[str] = (),
    ) -> None:
        # The length must be right for C code too, which does not ask `__len__`. What it would find
        # in place of a row must be nothing that could pass for one.
        super().__init__([_UNREAD] * len(next(iter(columns.values()))))
        self._columns: Mapping[str, Tokens] | None = columns
        self._row_format = row_format
        self._read_others = read_others
        self._others_are_text = others_are_text
        self._order = order

    @property
    def unread_columns(self) -> Mapping[str, Tokens] | None:
        """The columns of tokens, where they are all that a model could use.

        None once the rows were looked at, as they may differ by now.
        """
        return self._columns if self._others_are_text else None

    def with_columns(self, columns: Mapping[str, Tokens]) -> "TokenBatch":
        """The same rows with these columns of tokens, and their other columns; none is made yet.

        Args:
            columns: In place of the present ones; only before the rows were looked at.
        """
        before = self._columns or {}
        order = [name for name in self._order if name in columns or name not in before]
        new = [name for name in columns if name not in self._order]
        return TokenBatch(
            columns,
            row_format=self._row_format,
            read_others=self._read_others,
            others_are_text=self._others_are_text,
            order=[*order, *new] if self._order else (),
        )

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return list, (list(self),)

    def __radd__(self, other: list[Any]) -> list[Any]:
        # A plain list would take what it finds.
        return [*other, *self]

    def fill(self) -> None:
        """Make the rows, unless that was done before."""
        columns, self._columns = self._columns, None
        if columns is None:
            return
        of_format = ROW_FORMATS[self._row_format]
        values = {name: of_format(column) for name, column in columns.items()}
        values |= self._read_others()
        values = {name: values[name] for name in self._order or values}
        rows = zip(*values.values(), strict=True)
        super().__setitem__(slice(None), [dict(zip(values, row, strict=True)) for row in rows])


def _as_lists(column: Tokens) -> list[Any]:
    return column.tolist() if isinstance(column, np.ndarray) else [row.tolist() for row in column]


def _as_tensors(column: Tokens) -> Sequence[torch.Tensor]:
    if isinstance(column, np.ndarray):
        return torch.from_numpy(column).unbind()
    return [torch.from_numpy(row) for row in column]


# How Hugging Face data sets hand out the values of a row, by the name of their format: Python's
# lists and integers where they have none.
ROW_FORMATS: Mapping[str | None, Callable[[Tokens], Sequence[Any]]] = {
    None: _as_lists,
    "numpy": list,
    "torch": _as_tensors,
}


class _Unread:
    def __repr__(self) -> str:
        return "<a row that was not read>"


_UNREAD = _Unread()


def _after_filling(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def filled(*args: Any, **kwargs: Any) -> Any:
        for batch in args:
            if isinstance(batch, TokenBatch):
                batch.fill()
        return method(*args, **kwargs)

    return filled


# Whatever a list does with its rows, this one does once it has them.
_NEEDS_NO_ROWS = {
    "__class_getitem__", "__getattribute__", "__init__", "__len__", "__new__", "__sizeof__"
}  # fmt: skip
for _name, _method in vars(list).items():
    if callable(_method) and _name not in _NEEDS_NO_ROWS:
        setattr(TokenBatch, _name, _after_filling(_method))
