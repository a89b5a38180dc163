"""Columns and types in which sources differ: refused where they are mixed, reported by an audit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from collapse_guard.errors import bad_argument
from collapse_guard.rows.no_containers import called
from collapse_guard.rows.row_source import RowSource

_NAMES = {"f": "float", "U": "str", "b": "bool"}
"""What numpy's kinds of values are called where they stand in a list."""

_ROWS_LOOKED_AT = 1024
_LABELS = "labels"


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
        name: _seen(sources[name]) if None in declared.values() else types or {}
        for name, types in declared.items()
    }
    # A column that nowhere holds a value differs from none.
    held = {name for own in columns.values() for name, of in own.items() if of is not None}
    return [
        ColumnDifference(
            column,
            {
                name: (own[column] or "None") if column in own else None
                for name, own in columns.items()
            },
        )
        for column in differing_columns(list(columns.values()))
        if column in held
    ]


def differing_columns(columns: Sequence[Mapping[str, object]]) -> list[str]:
    """The columns that are missing somewhere, or have two types; sorted.

    Args:
        columns: The type of each column, for each source. A type of None fits every other.

    Example:
        >>> differing_columns([{"id": "int", "text": "str"}, {"id": None, "label": "int"}])
        ['label', 'text']
    """

    def differs(column: str) -> bool:
        types = [own[column] for own in columns if column in own]
        known = [of for of in types if of is not None]
        return len(types) < len(columns) or any(of != known[0] for of in known)

    return sorted(filter(differs, {column for own in columns for column in own}))


def check_same_columns(
    columns: Sequence[tuple[str, Mapping[str, object] | None]], *, but_for: Sequence[str] = ()
) -> None:
    """Refuse sources whose rows a collator could not put into one batch.

    Args:
        columns: For each source its name, and the types of its columns as in `differing_columns`;
            None for rows without column names.
        but_for: Columns that no collator will see.

    Raises:
        ArgumentError: A column is in one source only, or has two types; or only some rows have
            column names.
    """
    seen = [
        (name, own and {column: of for column, of in own.items() if column not in but_for})
        for name, own in columns
    ]
    for name, theirs in seen[1:]:
        first, ours = seen[0]
        if (ours is None) != (theirs is None):
            raise bad_argument(
                name,
                expected=f"rows of the same kind as those of {first}",
                given="rows with column names" if ours is None else "rows without column names",
                hint="make the rows of all sources mappings, or of none",
            )
        differing = differing_columns([ours or {}, theirs or {}])
        if ours is None or theirs is None or not differing:
            continue
        if ours.keys() != theirs.keys():
            raise bad_argument(
                name,
                expected=f"the columns of {first} rows {sorted(ours)}",
                given=sorted(theirs),
                hint=hint_for_columns(f"{first} rows", ours, f"{name} rows", theirs),
            )
        column = differing[0]
        raise bad_argument(
            name,
            expected=f"column {column!r} of the {first} rows' type {ours[column]}",
            given=theirs[column],
            hint=_hint_for_types(first, ours[column], name, theirs[column], column),
        )


def hint_for_columns(
    first: str, ours: Mapping[str, object], other: str, theirs: Mapping[str, object]
) -> str:
    """What to do about columns that only some rows have.

    Args:
        first: What has the one set of columns, in the plural.
        ours: These.
        other: What has the other set.
        theirs: These.
    """
    only_ours, only_theirs = (
        sorted(ours.keys() - theirs.keys()),
        sorted(theirs.keys() - ours.keys()),
    )
    told = f"only {first} have {only_ours}, only {other} have {only_theirs}"
    if _LABELS in only_ours or _LABELS in only_theirs:
        return (
            f"{told}; give labels to all rows (the input_ids, and -100 where a token is not to be "
            "trained on, such as a prompt's): a batch in which some have none would lose them all"
        )
    return f"{told}; rename or remove them"


def _hint_for_types(first: str, ours: Any, name: str, theirs: Any, column: str) -> str:
    first, name = called(first), called(name)
    if "ClassLabel(" in str(theirs) and "ClassLabel(" in str(ours):
        names, own = getattr(ours, "names", None), getattr(theirs, "names", None)
        if names and own and {n.lower() for n in own} <= {n.lower() for n in names}:
            mapping = {label: number for number, label in enumerate(names)}
            return (
                f"{name}.align_labels_with_mapping({mapping}, {column!r}) renumbers the classes by "
                "their names, which a cast would not: it keeps the numbers, and so changes classes"
            )
        return (
            f"map the numbers to the same classes by their names, with {name}.map(...): a cast "
            "keeps the numbers, and so changes classes"
        )
    cast = f"{name}.cast_column({column!r}, {first}.features[{column!r}]) changes it"
    if "ClassLabel(" in str(theirs) + str(ours) and "string" not in str(theirs):
        return f"{cast}, if the numbers mean the same classes, as it keeps them"
    return cast


def _declared(source: RowSource) -> dict[str, str | None] | None:
    columns = source.columns()
    if columns is None or None in columns.values():
        return None
    return {name: str(kind) for name, kind in columns.items()}


def _seen(source: RowSource) -> dict[str, str | None]:
    seen: dict[str, set[str]] = {}
    for row in source.read(range(min(len(source), _ROWS_LOOKED_AT))):
        for column, value in row.items() if isinstance(row, Mapping) else [("", row)]:
            seen.setdefault(column, set()).add(type_of(value))
    return {column: " or ".join(sorted(types - {"None"})) or None for column, types in seen.items()}


def type_of(value: Any) -> str:
    """What a value is called in errors and reports, as "list of int"; "None" for nothing.

    Args:
        value: Of a column of some row.
    """
    if value is None:
        return "None"
    if isinstance(value, list | tuple):
        inner = sorted({type_of(item) for item in value} - {"None"})
        return f"list of {' or '.join(inner)}" if inner else "None"
    if hasattr(value, "dtype") and hasattr(value, "ndim"):
        kind = str(value.dtype).removeprefix("torch.")
        if np.issubdtype(np.dtype(kind) if kind != "bfloat16" else np.float32, np.integer):
            kind = "int"
        elif kind != "bfloat16" and np.dtype(kind).kind in _NAMES:
            kind = _NAMES[np.dtype(kind).kind]
        return "list of " * int(value.ndim) + kind
    return type(value).__name__
