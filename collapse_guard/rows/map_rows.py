"""One source of rows, whatever it is made of: checked once, then read in batches."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from torch.utils.data import IterableDataset

from collapse_guard.arguments import MOST
from collapse_guard.errors import bad_argument

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
        rows: The rows. Where they have a `__getitems__` (as a Hugging Face `Dataset` does), a batch
            is read with one call of it.

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
        return read_rows(self._rows, indices)

    def batches(self) -> Iterator[tuple[int, list[Any]]]:
        """All rows in their order, some at a time: the number of the first, and the rows."""
        for start in range(0, len(self), _ROWS_AT_A_TIME):
            yield start, self.read(range(start, min(start + _ROWS_AT_A_TIME, len(self))))

    def columns(self) -> dict[str, object] | None:
        """The rows' columns and, where the source declares them, their types (else None).

        The keys of the first row where the source does not name its columns; None where rows are
        not mappings. There must be a row.
        """
        names = getattr(self._rows, "column_names", None)
        if names is None:
            first = self._rows[0]
            if not isinstance(first, Mapping):
                return None
            names = first.keys()
        features = getattr(self._rows, "features", None) or {}
        return {name: features.get(name) for name in names}

    def narrowed(self, columns: Sequence[str]) -> "RowSource":
        """The same rows, with only these columns read where the source can do so."""
        if not hasattr(self._rows, "select_columns"):
            return self
        return RowSource(self.name, self._rows.select_columns(list(columns)).with_format("numpy"))


def read_rows(rows: Rows, indices: Sequence[int]) -> list[Any]:
    """The rows with these numbers, in their order: with one call where the rows have one for it."""
    read_batch = getattr(rows, "__getitems__", None)
    if read_batch is None or not indices:
        return [rows[index] for index in indices]
    return list(read_batch(list(indices)))


def _checked(name: str, rows: Any) -> Rows:
    by_number = hasattr(rows, "__len__") and hasattr(rows, "__getitem__")
    # Torch gives its streams a `__getitem__` too, which only raises.
    if not by_number or isinstance(rows, IterableDataset):
        raise bad_argument(
            name,
            expected="rows with a length that can be read by number",
            given=rows,
            hint="give a list, a datasets.Dataset or a map-style torch data set; list(...) makes "
            "one of a stream that fits into memory",
        )
    if not 1 <= len(rows) <= MOST:
        raise bad_argument(
            name,
            expected=f"from 1 to {MOST} rows",
            given=f"{len(rows)} rows",
            hint=f"give {name} rows, or a human_fraction that leaves them out",
        )
    checked: Rows = rows
    return checked


def check_same_columns(first: RowSource, other: RowSource) -> None:
    """Refuse sources whose rows a collator could not put into one batch.

    Raises:
        ArgumentError: A column is in one source only, or has two types. Types are compared where
            both sources declare them.
    """
    ours, theirs = first.columns(), other.columns()
    if ours is None or theirs is None:
        if (ours is None) != (theirs is None):
            raise bad_argument(
                other.name,
                expected=f"rows of the same kind as those of {first.name}",
                given="rows with column names" if ours is None else "rows without column names",
                hint="make the rows of all sources mappings, or of none",
            )
        return
    if ours.keys() != theirs.keys():
        raise bad_argument(
            other.name,
            expected=f"the columns of {first.name} rows {sorted(ours)}",
            given=sorted(theirs),
            hint=f"only {first.name} rows have {sorted(ours.keys() - theirs.keys())}, only "
            f"{other.name} rows have {sorted(theirs.keys() - ours.keys())}; rename or remove them",
        )
    for name, ours_type in ours.items():
        if None not in (ours_type, theirs[name]) and ours_type != theirs[name]:
            raise bad_argument(
                other.name,
                expected=f"column {name!r} of the {first.name} rows' type {ours_type}",
                given=theirs[name],
                hint=f"{other.name}.cast({first.name}.features) gives both the same types",
            )
