"""What was found in the rows before training."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.leaks import LeakedRows
from collapse_guard.audit.retokenized import RetokenizedRows
from collapse_guard.audit.shared_rows import SharedRows
from collapse_guard.rows.schema import ColumnDifference

_ROWS_SHOWN = 5


@dataclass(frozen=True, eq=False)
class EmptyRows:
    """Rows of a source that hold nothing.

    Attributes:
        source: Name of the source.
        rows: int64 of shape (empty,), rising.
    """

    source: str
    rows: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class AuditReport:
    """What `audit_rows` found. `print` it, or see `is_clean`.

    Attributes:
        num_rows: Rows looked at of each source, by name.
        near: Least Jaccard similarity of rows that count as nearly the same; None where only
            identical ones were looked for.
        shared: Synthetic rows that stand in human sources too.
        leaked: Rows that hold text of the held-out panel; None where no panel was given.
        empty: Rows that hold nothing.
        differences: Columns that are not the same in all sources.
        retokenized: Sources whose token ids are not those that their `decoding` drew.
    """

    num_rows: Mapping[str, int]
    near: float | None
    shared: tuple[SharedRows, ...]
    leaked: tuple[LeakedRows, ...] | None
    empty: tuple[EmptyRows, ...]
    differences: tuple[ColumnDifference, ...]
    retokenized: tuple[RetokenizedRows, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        found = (self.shared, self.leaked, self.empty, self.differences, self.retokenized)
        return not any(found)

    def bad_rows(self, source: str) -> npt.NDArray[np.int64]:
        """Rows of a source that are better left out: shared, leaked or empty.

        Of shared rows it is the synthetic ones; the human ones stay.

        Args:
            source: Its name.

        Returns:
            int64 of shape (rows,), rising, each row once.

        Raises:
            KeyError: There is no such source.
        """
        if not isinstance(source, str) or source not in self.num_rows:
            raise KeyError(source)
        parts = [
            *(part.rows for part in self.shared if part.synthetic == source),
            *(part.rows for part in self.leaked or () if part.source == source),
            *(part.rows for part in self.empty if part.source == source),
        ]
        return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *parts]))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain nested dicts and lists, every row number included, for JSON."""
        plain: dict[str, Any] = _plain({**asdict(self), "is_clean": self.is_clean})
        return plain

    def __str__(self) -> str:
        rows = ", ".join(f"{count:,} of {name}" for name, count in self.num_rows.items())
        lines = [f"{sum(self.num_rows.values()):,} rows checked: {rows}"]
        for part in self.shared:
            identical = int(part.identical.sum())
            shown = [
                f"{row} like {original} ({'identical' if same else f'{similarity:.0%}'})"
                for row, original, similarity, same in zip(
                    *(
                        values[:_ROWS_SHOWN].tolist()
                        for values in (part.rows, part.originals, part.similarity, part.identical)
                    ),
                    strict=True,
                )
            ]
            lines.append(
                f"{part.synthetic}: {_count(part.rows, 'row stands', 'rows stand')} in "
                f"{part.human} too, {identical:,} identical and "
                f"{len(part.rows) - identical:,} nearly so: "
                f"{_list(shown, len(part.rows))}"
            )
        for leak in self.leaked or ():
            documents = np.unique(leak.documents)
            lines.append(
                f"{leak.source}: {_count(leak.rows, 'row holds', 'rows hold')} text of "
                f"{_count(documents, 'held-out document', 'held-out documents')}: "
                f"{_list(leak.rows[:_ROWS_SHOWN].tolist(), len(leak.rows))}"
            )
        for none in self.empty:
            lines.append(
                f"{none.source}: {_count(none.rows, 'empty row', 'empty rows')}: "
                f"{_list(none.rows[:_ROWS_SHOWN].tolist(), len(none.rows))}"
            )
        for difference in self.differences:
            types = ", ".join(f"{of or 'missing'} in {s}" for s, of in difference.types.items())
            lines.append(f"column {difference.column!r} differs: {types}")
        for anew in self.retokenized:
            lines.append(
                f"{anew.source}: tokenized anew, it seems: {anew.rows:,} rows are just what the "
                f"tokenizer makes of their text, so that its decoding does not fit these ids; "
                f'decoding="find" finds what does'
            )
        if self.near is None:
            lines.append("not looked for: rows that are nearly the same")
        if self.leaked is None:
            lines.append("not looked for: held-out text, since no panel was given")
        if self.is_clean:
            lines.append("nothing found")
        return "\n".join(lines)


def _count(rows: npt.NDArray[np.int64], one: str, more: str) -> str:
    return f"{len(rows):,} {one if len(rows) == 1 else more}"


def _list(shown: Iterable[object], count: int) -> str:
    listed = [str(item) for item in shown]
    return ", ".join(listed) + (f", and {count - len(listed):,} more" * (count > len(listed)))


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
