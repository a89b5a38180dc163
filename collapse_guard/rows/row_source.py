"""One source of rows, whatever it is made of: checked once, then read in batches."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set as AbstractSet
from typing import Any, Protocol

from torch.utils.data import IterableDataset

from collapse_guard.arguments import MOST, understood
from collapse_guard.errors import ArgumentError, bad_argument
from collapse_guard.rows.containers import as_rows

Columns = dict[str, object]
"""Columns by name, and their types; None where a type is not declared."""

_ROWS_AT_A_TIME = 1024


class Rows(Protocol):
    """What can be mixed: a list of rows, a Hugging Face `Dataset`, any map-style torch data set."""

    def __len__(self) -> int:
        """Number of rows."""

    def __getitem__(self, index: int, /) -> Any:
        """One row; a mapping from column to value, or anything that the collator takes."""


class RowSource:
    """Rows with a known length and known columns.

    Args:
        name: Of the source, for errors.
        rows: The rows, as `as_rows` takes them. Where they have a `__getitems__` (as a Hugging Face
            `Dataset` does), a batch is read with one call of it.

    Raises:
        ArgumentError: They have no length or no rows.
    """

    def __init__(self, name: str, rows: Rows | Iterable[Any]) -> None:
        self.name = name
        self._rows: Rows = _checked(name, rows)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._rows)

    def read(self, indices: Sequence[int]) -> list[Any]:
        """The rows with these numbers, in their order."""
        with understood(self.name, self._rows, **_WANTED):
            return read_rows(self.name, self._rows, indices)

    def batches(self) -> Iterator[tuple[int, list[Any]]]:
        """All rows in their order, some at a time: the number of the first, and the rows."""
        for start in range(0, len(self), _ROWS_AT_A_TIME):
            yield start, self.read(range(start, min(start + _ROWS_AT_A_TIME, len(self))))

    @property
    def is_stored(self) -> bool:
        """Whether all rows have the columns, and the types, that the source declares."""
        declared = None if _is_transformed(self._rows) else declared_columns(self._rows)
        return bool(declared) and None not in (declared or {}).values()

    @property
    def is_in_memory(self) -> bool:
        """Whether all rows can be looked at in no time."""
        return type(self._rows) in (list, tuple)

    def columns(self) -> Columns | None:
        """The rows' columns and, where the source declares them, their types (else None).

        The keys of the first row where the source does not name its columns; None where rows are
        not mappings. There must be a row.
        """
        with understood(self.name, self._rows, **_WANTED):
            declared = None if _is_transformed(self._rows) else declared_columns(self._rows)
            if declared is not None:
                return declared
            first = self._rows[0]
        return dict.fromkeys(first) if isinstance(first, Mapping) else None

    def narrowed(self, columns: Sequence[str], *, in_numpy: bool = True) -> "RowSource":
        """The same rows, with only these columns read where the source can do so.

        Args:
            columns: Their names.
            in_numpy: Read as numpy's values, which are of single precision, and not as the rows
                themselves are.
        """
        if not hasattr(self._rows, "select_columns"):
            return self
        rows = self._rows.select_columns(list(columns))
        return RowSource(self.name, rows.with_format("numpy") if in_numpy else rows)

    def in_arrow(self, columns: Sequence[str]) -> Any:
        """A view of some columns that is read as Arrow tables; None where the rows have none.

        Args:
            columns: Their names, of those that `columns` knows.
        """
        rows: Any = self._rows
        if not (hasattr(rows, "with_format") and hasattr(rows, "features")):
            return None
        with understood(self.name, rows, **_WANTED):
            return rows.select_columns(list(columns)).with_format("arrow")


_WANTED = {
    "expected": "rows with a length that can be read by number",
    "hint": "give a list, a datasets.Dataset or a map-style torch data set; list(...) makes one of "
    "a stream that fits into memory",
}


def declared_columns(rows: Any) -> Columns | None:
    """The columns that rows of any kind say they have, and their types where they say those.

    Args:
        rows: Rows, or a stream of them; a Hugging Face data set of either kind names its columns.

    Returns:
        None where they do not say.
    """
    names = getattr(rows, "column_names", None)
    if names is None:
        return None
    features = getattr(rows, "features", None) or {}
    form = _format(rows)
    if form.get("columns") and not form.get("output_all_columns"):
        names = form["columns"]
    return {name: features.get(name) for name in names}


def _format(rows: Any) -> Mapping[str, Any]:
    """How a Hugging Face data set shows its rows."""
    form = getattr(rows, "format", None)
    return form if isinstance(form, Mapping) else {}


def _is_transformed(rows: Any) -> bool:
    """Whether a data set makes its rows anew, by a function of the user's, when they are read."""
    return _format(rows).get("type") == "custom"


def read_rows(name: str, rows: Rows, indices: Sequence[int]) -> list[Any]:
    """The rows with these numbers, in their order: with one call where the rows have one for it.

    Args:
        name: Of the source, for errors.
        rows: Its rows.
        indices: Their numbers.

    Raises:
        ArgumentError: There came more rows than were asked for, or fewer.
    """
    read_batch = getattr(rows, "__getitems__", None)
    if read_batch is None or not indices:
        return [rows[index] for index in indices]
    read = list(read_batch(list(indices)))
    if len(read) != len(indices):
        raise another_number(name, asked=len(indices), given=len(read))
    return read


def another_number(name: str, *, asked: int, given: int) -> ArgumentError:
    """What is said of a source that gives more rows than it is asked for, or fewer.

    Which of them are human could not be said any more.

    Args:
        name: Of the source.
        asked: How many rows were asked for.
        given: How many came.
    """
    return bad_argument(
        name,
        expected=f"one row for each that is asked for, {asked} here",
        given=f"{given} rows",
        hint="a transform that makes more or fewer rows comes before the mix: give the rows that "
        "it makes, as dataset.map(transform, batched=True, remove_columns=dataset.column_names) "
        "does, instead of set_transform or with_transform",
    )


def can_be_read_by_number(rows: Any) -> bool:
    """Whether rows are more than a stream: they have a length and can be asked for by number."""
    # Torch gives its streams a `__getitem__` too, which only raises.
    is_stream = isinstance(rows, IterableDataset)
    is_made = not isinstance(rows, type | str | bytes | Mapping | AbstractSet)
    return hasattr(rows, "__len__") and hasattr(rows, "__getitem__") and not is_stream and is_made


def _checked(name: str, given: Any) -> Rows:
    rows = as_rows(name, given)
    with understood(name, rows, **_WANTED):
        count = len(rows) if can_be_read_by_number(rows) else None
    if count is None:
        raise bad_argument(name, given=rows, **_WANTED)
    if not 1 <= count <= MOST:
        raise bad_argument(
            name,
            expected=f"from 1 to {MOST} rows",
            given=f"{count} rows",
            hint=f"give {name} rows, or a human_fraction that leaves them out",
        )
    checked: Rows = rows
    return checked
