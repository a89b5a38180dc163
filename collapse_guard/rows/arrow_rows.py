"""Reads Hugging Face data sets as one, by what they show of themselves: nothing is imported."""

import copy
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.rows.row_source import another_number
from collapse_guard.rows.token_batch import ROW_FORMATS, TokenBatch
from collapse_guard.rows.token_columns import StoredColumn, text_column, token_column

_Numbers = npt.NDArray[np.integer[Any]]


class ArrowRows:
    """Rows of Hugging Face data sets of one schema and one format, read with one call a batch.

    A call of a data set costs as much as reading twenty rows of it. So the tables are concatenated,
    which copies nothing, and selected or shuffled rows are found here and not one by one there.
    Whole numbers, lists of them, and text are copied straight out of the Arrow buffers. Where there
    are columns of tokens, rows are made only when somebody looks: see `TokenBatch`.

    Args:
        table: A `datasets.Dataset` of the stored rows of all sources, one after another.
        starts: int64 of shape (sources,), where the stored rows of each source begin.
        stored_at: For each source the numbers of its rows among its stored ones: integers of
            shape (rows,), or None where they are the same.
    """

    def __init__(
        self, table: Any, starts: npt.NDArray[np.int64], stored_at: Sequence[_Numbers | None]
    ) -> None:
        self._table = table
        self._starts = starts
        self._stored_at = {
            source: numbers for source, numbers in enumerate(stored_at) if numbers is not None
        }
        self._row_format: Any = table.format["type"]
        shown = set(table.format["columns"])
        self._order = [name for name in table.column_names if name in shown]
        self._columns = _token_columns(table)
        others = [name for name in table.format["columns"] if name not in self._columns]
        text = {name: _text_column(table, name) for name in others}
        self._others_are_text = None not in text.values()
        # numpy's format has text of its own, which the data set itself must make.
        own = self._others_are_text and _is_plain(table) and self._row_format != "numpy"
        self._text = {name: column for name, column in text.items() if own and column is not None}
        self._others = table.select_columns(others) if others and not own else None

    @classmethod
    def of(cls, sources: Sequence[Any]) -> Self | None:
        """The rows of all sources, or None where they cannot be read so.

        Args:
            sources: Rows of any kind. Those without any row need not fit the others.
        """
        datasets = [rows for rows in sources if len(rows)]
        if not all(map(_is_dataset, datasets)):
            return None
        first = datasets[0]
        if any((rows.features, rows.format) != (first.features, first.format) for rows in datasets):
            return None
        stored = [_as_stored(rows) for rows in datasets]
        sizes = [rows.data.num_rows if len(rows) else 0 for rows in sources]
        # The module is there, as its class is, and asking for it so imports nothing.
        table = sys.modules["datasets"].concatenate_datasets(stored) if stored[1:] else stored[0]
        return cls(
            table,
            starts=np.cumsum([0, *sizes[:-1]], dtype=np.int64),
            stored_at=[_stored_at(rows) if len(rows) else None for rows in sources],
        )

    def read(self, sources: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> list[Any]:
        """The rows of a batch.

        Args:
            sources: int64 of shape (n,), from which source each row comes; n at least 1.
            rows: int64 of shape (n,), its number there.

        Returns:
            n rows, in the order asked for.
        """
        stored = self._starts[sources] + rows
        for source, numbers in self._stored_at.items():
            chosen = np.flatnonzero(sources == source)
            stored[chosen] = self._starts[source] + numbers[rows[chosen]].astype(np.int64)
        columns = {name: column.read(stored) for name, column in self._columns.items()}
        if columns:
            return TokenBatch(
                columns,
                row_format=self._row_format,
                read_others=lambda: self._read_others(stored),
                others_are_text=self._others_are_text,
                order=self._order,
            )
        if self._text:
            texts = self._read_others(stored)
            return [dict(zip(texts, row, strict=True)) for row in zip(*texts.values(), strict=True)]
        return _rows(self._table, stored.tolist(), self._row_format)

    def _read_others(self, stored: npt.NDArray[np.int64]) -> Mapping[str, Any]:
        if self._others is not None:
            return cast(Mapping[str, Any], self._others[stored.tolist()])
        return {name: column.read(stored) for name, column in self._text.items()}


def _is_dataset(rows: Any) -> bool:
    # Exactly this class: a subclass may read its rows in ways of its own.
    kind = type(rows)
    return (kind.__module__, kind.__qualname__) == ("datasets.arrow_dataset", "Dataset")


def _as_stored(rows: Any) -> Any:
    """The same data set without its mapping of row numbers: all stored rows, as they stand."""
    stored = copy.copy(rows)
    stored._indices = None
    return stored


def _stored_at(rows: Any) -> _Numbers | None:
    if rows._indices is None:
        return None
    chunks = rows._indices.column(0).chunks
    numbers = [chunk.to_numpy(zero_copy_only=True) for chunk in chunks]
    return numbers[0] if len(numbers) == 1 else np.concatenate(numbers)


def _token_columns(table: Any) -> Mapping[str, StoredColumn]:
    """The columns of tokens; none where the format changes what is stored."""
    if not _is_plain(table):
        return {}
    columns = {name: token_column(table.data.column(name)) for name in table.format["columns"]}
    return {name: column for name, column in columns.items() if column is not None}


def _text_column(table: Any, name: str) -> StoredColumn | None:
    # Other features may store text too, and make something else of it.
    is_text = type(table.features[name]).__name__ == "Value"
    return text_column(table.data.column(name)) if is_text else None


def _is_plain(table: Any) -> bool:
    shown = table.format
    plain = shown["type"] in ROW_FORMATS and not shown["format_kwargs"]
    return plain and not shown["output_all_columns"]


def _rows(table: Any, numbers: list[int], row_format: Any) -> list[Any]:
    if row_format not in ("torch", "custom"):
        return cast(list[Any], table.__getitems__(numbers))
    batch = table[numbers]
    counts = {len(column) for column in batch.values()}
    if len(counts) > 1:
        # Of a transform that made more rows of one column, and left others as they were.
        raise another_number("rows", asked=len(numbers), given=max(counts - {len(numbers)}))
    if row_format == "custom":
        columns = list(batch.values())
        return [dict(zip(batch, row, strict=True)) for row in zip(*columns, strict=True)]
    # Taking a tensor apart at once is several times as fast as row by row.
    columns = [
        column.unbind() if isinstance(column, torch.Tensor) else column for column in batch.values()
    ]
    return [dict(zip(batch, row, strict=True)) for row in zip(*columns, strict=True)]
