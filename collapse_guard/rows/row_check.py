"""Holds rows of any container to one set of columns, as they are read."""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from collapse_guard.errors import ArgumentError, bad_argument
from collapse_guard.rows.row_source import Columns, RowSource, declared_columns
from collapse_guard.rows.schema import hint_for_columns, type_of

_MOST_FORMS = 100
_PLAIN = {"int": "number", "float": "number", "bool": "number", "str": "str", "dict": "dict"}


class RowCheck:
    """Refuses a row that a collator could not put into one batch with the others of a mix.

    Columns that one row lacks are dropped by most collators, or those that only it has: `labels`
    that mask prompts go so, and the prompts are trained on. Stored rows of Hugging Face have the
    columns that they declare, and are not looked at. Of any others, each must have the columns of
    those before, and in each column a number, a text, a mapping or a list of such, whichever it
    was; missing values (None) and values of other classes fit every type. Of what stands in lists,
    only those that come first are looked at.

    Args:
        names: Of the sources.
        columns: Of each source; None where its rows are no mappings; `UNKNOWN` where only reading
            it tells.
        stored: For each source whether its rows are not to be looked at.
        but_for: Columns that may differ.

    Example:
        >>> check = RowCheck(["human", "web"], [UNKNOWN, UNKNOWN], [False, False])
        >>> check.rows(0, [{"text": "a", "label": 1}], [0])
        >>> check.rows(1, [{"text": "b", "label": None}, {"text": "c"}], [0, 1])
        Traceback (most recent call last):
            ...
        collapse_guard.errors.ArgumentError: argument `web` expected ...
    """

    def __init__(
        self,
        names: Sequence[str],
        columns: Sequence[Columns | None],
        stored: Sequence[bool],
        *,
        but_for: Sequence[str] = (),
    ) -> None:
        self._names = names
        self._stored = stored
        self._but_for = frozenset(but_for)
        self._forms: dict[tuple[str, ...], dict[str, set[type]]] = {}
        self._classes: set[type] = set()
        self._first: tuple[str, dict[str, str | None] | None] | None = None
        for name, own in zip(names, columns, strict=True):
            if own is not UNKNOWN:
                known = None if own is None else dict.fromkeys(own.keys() - self._but_for)
                self._first = (f"{name} rows", known)
                break

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        sources: Sequence[RowSource | Iterable[Any]],
        *,
        but_for: Sequence[str] = (),
    ) -> "RowCheck":
        """The check of some sources; those that are lists are looked through at once.

        Args:
            names: Of the sources.
            sources: As opened.
            but_for: Columns that may differ.

        Raises:
            ArgumentError: A row of a list differs.
        """
        columns = [
            each.columns() if isinstance(each, RowSource) else declared_columns(each) or UNKNOWN
            for each in sources
        ]
        stored = [
            each.is_stored
            if isinstance(each, RowSource)
            else bool(own) and None not in own.values()
            for each, own in zip(sources, (own or {} for own in columns), strict=True)
        ]
        check = cls(names, columns, stored, but_for=but_for)
        for number, each in enumerate(sources):
            if isinstance(each, RowSource) and each.is_in_memory:
                for start, rows in each.batches():
                    check.rows(number, rows, range(start, start + len(rows)))
        return check

    def rows(self, source: int, rows: Sequence[Any], numbers: Sequence[int]) -> None:
        """Refuse rows that differ from those before.

        Args:
            source: Number of their source.
            rows: As read.
            numbers: Of each in its source.

        Raises:
            ArgumentError: Names the source, the row, and what to do.
        """
        if self._stored[source]:
            return
        if self._are_known(rows):
            return
        for number, row in zip(numbers, rows, strict=True):
            self._look(source, int(number), row)
        self._remember(rows)

    def _are_known(self, rows: Sequence[Any]) -> bool:
        """Whether no row is of a form that was not looked at, in few steps of the interpreter."""
        classes = set(map(type, rows))
        if classes != {dict}:
            return classes <= self._classes
        columns: set[tuple[str, ...]] = set(map(tuple, rows))
        known = self._forms.get(next(iter(columns))) if len(columns) == 1 else None
        return known is not None and all(
            known[column].issuperset(map(type, map(itemgetter(column), rows))) for column in known
        )

    def _remember(self, rows: Sequence[Any]) -> None:
        for row in rows:
            if type(row) is dict and len(self._forms) < _MOST_FORMS:
                known = self._forms.setdefault(tuple(row), {column: set() for column in row})
                for column, value in row.items():
                    known[column].add(type(value))
            elif not isinstance(row, Mapping):
                self._classes.add(type(row))

    def _look(self, source: int, number: int, row: Any) -> None:
        own = None
        if isinstance(row, Mapping):
            own = {
                column: _kind(value) for column, value in row.items() if column not in self._but_for
            }
        name = self._names[source]
        if self._first is None:
            self._first = (f"rows like row {number} of {name}", own)
            return
        known = self._first[1]
        if known is None or own is None:
            if known is not own:
                raise self._differs(source, number, known, own)
            return
        if known.keys() != own.keys():
            raise self._differs(source, number, known, own)
        for column, kind in own.items():
            if known[column] is None:
                known[column] = kind
            elif kind is not None and kind != known[column]:
                raise bad_argument(
                    name,
                    expected=f"a {known[column]} in column {column!r}, as in the rows before",
                    given=row[column],
                    hint=f"change row {number} of {name!r}, or what makes it",
                )

    def _differs(
        self,
        source: int,
        number: int,
        known: Mapping[str, object] | None,
        own: Mapping[str, object] | None,
    ) -> ArgumentError:
        name, first = self._names[source], self._first[0] if self._first else ""
        if known is None or own is None:
            return bad_argument(
                name,
                expected=f"rows of the same kind as {first}",
                given=f"row {number} {'without' if own is None else 'with'} column names",
                hint="make the rows of all sources mappings, or of none",
            )
        return bad_argument(
            name,
            expected=f"the columns of {first} {sorted(known)}",
            given=f"{sorted(own)} in row {number}",
            hint=hint_for_columns(first, known, f"rows like row {number} of {name}", own),
        )


UNKNOWN: Columns = {"": None}
"""Columns that only reading tells."""


def _kind(value: Any) -> str | None:
    """What a value is, where that is something plain."""
    try:
        *lists, inner = type_of(value).split("list of ")
    except TypeError:
        # Of a type that numpy does not know.
        return None
    return None if inner not in _PLAIN else "list of " * len(lists) + _PLAIN[inner]
