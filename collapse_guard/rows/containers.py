"""Containers of rows as users have them: taken where the meaning is plain, refused where not."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from collapse_guard.arguments import understood
from collapse_guard.errors import bad_argument
from collapse_guard.rows.no_containers import (
    called,
    holds_data_sets,
    is_data_set,
    is_of,
    what_to_write,
)

_SPLITS = {"train", "validation", "test"}
_ROWS = "rows, as a list, a datasets.Dataset or a data frame holds them"


class ColumnRows:
    """Rows that are stored as columns of equal length.

    Args:
        columns: The values of each column: lists, or arrays and tensors whose first axis is the
            rows.

    Example:
        >>> rows = ColumnRows({"text": ["a", "b"], "label": np.array([0, 1])})
        >>> rows[1]
        {'text': 'b', 'label': 1}
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns = dict(columns)
        self._count = len(next(iter(self._columns.values())))

    @property
    def column_names(self) -> list[str]:
        """Their names."""
        return list(self._columns)

    def __len__(self) -> int:
        """Number of rows."""
        return self._count

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One row: values of arrays as Python's numbers, parts of wider ones as they are."""
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Some rows, in this order."""
        chosen = {name: _chosen(column, indices) for name, column in self._columns.items()}
        return [dict(zip(chosen, row, strict=True)) for row in zip(*chosen.values(), strict=True)]


def _chosen(column: Any, indices: Sequence[int]) -> list[Any]:
    if isinstance(column, np.ndarray | torch.Tensor) and column.ndim == 1:
        values: list[Any] = column[list(indices)].tolist()
        return values
    return [column[index] for index in indices]


def as_rows(name: str, given: Any) -> Any:
    """What was given for rows, as something that can be read row by row.

    A data frame or a series of pandas, a dict of columns of equal length and a tokenizer's output
    become rows; whatever else may be rows is handed on as it is.

    Args:
        name: Of the source, for errors.
        given: What the caller gave.

    Raises:
        ArgumentError: It is no container of rows, as a path, a list of data sets, a `DatasetDict`
            or a generator is; says what to write.
    """
    with understood(name, given, expected=_ROWS, hint="give a list of rows"):
        if given is None or (type(given) is list and not holds_data_sets(given)):
            return given
        if is_of(given, "pandas", "DataFrame"):
            return _from_frame(name, given)
        if is_of(given, "pandas", "Series"):
            return _values(given)
        if isinstance(given, Mapping):
            return _from_mapping(name, given)
        hint = what_to_write(name, given)
        if hint is not None:
            raise bad_argument(name, expected=_ROWS, given=given, hint=hint)
    return given


def _from_frame(name: str, frame: Any) -> Any:
    columns = {} if frame.columns.has_duplicates else {c: frame[c] for c in frame.columns}
    if len(columns) < len(frame.columns) or not all(isinstance(each, str) for each in columns):
        raise bad_argument(
            name,
            expected="a data frame whose columns have names of their own",
            given=list(frame.columns),
            hint='name them, as in frame.columns = ["text", "label"]',
        )
    return ColumnRows({c: _values(column) for c, column in columns.items()}) if columns else []


def _values(column: Any) -> Any:
    """The values of a series of pandas; None where one is missing and is no float."""
    values = column.to_numpy()
    return (
        values
        if values.dtype != object
        else column.astype(object).where(column.notna(), None).tolist()
    )


def _from_mapping(name: str, given: Mapping[Any, Any]) -> Any:
    splits = [key for key, value in given.items() if is_data_set(value)]
    if splits or (given and set(given) <= _SPLITS):
        splits = splits or list(given)
        raise bad_argument(
            name,
            expected="rows of one split",
            given=f"the splits {sorted(map(str, splits))}",
            hint=f'choose one: {called(name)}["{"train" if "train" in splits else splits[0]}"]',
        )
    lengths = {key: len(value) for key, value in given.items() if _is_column(value)}
    are_named = all(isinstance(key, str) for key in given)
    if not given or len(lengths) < len(given) or not are_named or _is_one_row(given):
        raise bad_argument(
            name,
            expected="a dict of columns, each with one value for every row",
            given=dict(given),
            hint="give a list of rows: [row] if this is a single one",
        )
    if len(set(lengths.values())) > 1:
        raise bad_argument(
            name,
            expected="columns of equal length",
            given=f"the lengths {lengths}",
            hint="give each column one value for every row",
        )
    return ColumnRows(
        {
            key: _values(value) if is_of(value, "pandas", "Series") else value
            for key, value in given.items()
        }
    )


def _is_one_row(columns: Mapping[Any, Any]) -> bool:
    """Whether this is what a tokenizer makes of a single text: lists, but of one row's tokens."""
    ids = columns.get("input_ids")
    if isinstance(ids, np.ndarray | torch.Tensor):
        return ids.ndim == 1 and ids.dtype != object
    return isinstance(ids, list | tuple) and bool(ids) and not hasattr(ids[0], "__len__")


def _is_column(value: Any) -> bool:
    if isinstance(value, np.ndarray | torch.Tensor):
        return value.ndim > 0
    is_series = is_of(value, "pandas", "Series") or is_of(value, "datasets", "Column")
    return isinstance(value, list | tuple | range) or is_series
