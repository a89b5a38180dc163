"""Columns and types in which sources differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from collapse_guard.rows.map_rows import RowSource

_NAMES = {"f": "float", "U": "str", "b": "bool"}
"""What numpy's kinds of values are called where they stand in a list."""

_ROWS_LOOKED_AT = 1024


@dataclass(frozen=True)
class ColumnDifference:
    """A column that is not the same in all sources.

    Attributes:
        column: Its name; "" for rows without column names.
        types: For each source, by name, what the column holds there; None where it has no such
            column. Several types of one source are joined by " or ".
    """

    column: str
    types: Mapping[str, str | None]


def find_differences(sources: Mapping[str, RowSource]) -> list[ColumnDifference]:
    """Compare the columns of sources, and what they hold.

    Types are those that all sources declare, as Hugging Face data sets do. Where one declares
    none, those of the values in the first 1,024 rows of each are compared: missing values fit
    every type, and whole numbers of any width are of one type.

    Args:
        sources: The sources by name.

    Returns:
        One for each column that differs, sorted by name.

    Example:
        >>> rows = RowSource("human", [{"text": "a", "id": 1}]), RowSource("web", [{"text": 2}])
        >>> for difference in find_differences(dict(zip(["human", "web"], rows))):
        ...     print(difference.column, dict(difference.types))
        id {'human': 'int', 'web': None}
        text {'human': 'str', 'web': 'int'}
    """
    declared = {name: _declared(source) for name, source in sources.items()}
    columns = {
        name: _seen(sources[name]) if None in declared.values() else types
        for name, types in declared.items()
    }
    every = sorted({column for types in columns.values() for column in types or {}})
    differences = []
    for column in every:
        types = {name: (own or {}).get(column) for name, own in columns.items()}
        # A column without a single value may hold anything.
        if len({of for of in types.values() if of != "None"}) > 1:
            differences.append(ColumnDifference(column, types))
    return differences


def _declared(source: RowSource) -> dict[str, str] | None:
    columns = source.columns()
    if columns is None or None in columns.values():
        return None
    return {name: str(kind) for name, kind in columns.items()}


def _seen(source: RowSource) -> dict[str, str]:
    seen: dict[str, set[str]] = {}
    for row in source.read(range(min(len(source), _ROWS_LOOKED_AT))):
        for column, value in row.items() if isinstance(row, Mapping) else [("", row)]:
            seen.setdefault(column, set()).add(_type(value))
    return {
        column: " or ".join(sorted(types - {"None"})) or "None" for column, types in seen.items()
    }


def _type(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, list | tuple):
        inner = sorted({_type(item) for item in value} - {"None"})
        return f"list of {' or '.join(inner)}" if inner else "None"
    if hasattr(value, "dtype") and hasattr(value, "ndim"):
        kind = str(value.dtype).removeprefix("torch.")
        if np.issubdtype(np.dtype(kind) if kind != "bfloat16" else np.float32, np.integer):
            kind = "int"
        elif kind != "bfloat16" and np.dtype(kind).kind in _NAMES:
            kind = _NAMES[np.dtype(kind).kind]
        return "list of " * int(value.ndim) + kind
    return type(value).__name__
