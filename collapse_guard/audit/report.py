"""What was found in the rows before training."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.anchors import missed
from collapse_guard.audit.forms import FormReport
from collapse_guard.audit.inside_rows import InsideRows
from collapse_guard.audit.leaks import LeakedRows
from collapse_guard.audit.repeated_rows import RepeatedRows
from collapse_guard.audit.report_lines import (
    difference_line,
    empty_line,
    inside_line,
    leaked_line,
    repeated_line,
    retokenized_line,
    shared_line,
)
from collapse_guard.audit.retokenized import RetokenizedRows
from collapse_guard.audit.shared_rows import SharedRows
from collapse_guard.rows.schema import ColumnDifference


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
        repeated: Rows that say again what an earlier row of their kind says.
        inside: Rows that lie inside longer ones.
        forms: How the form of each synthetic source differs from that of the human rows: `print`
            one for a table. No form is a finding, whatever its size.
    """

    num_rows: Mapping[str, int]
    near: float | None
    shared: tuple[SharedRows, ...]
    leaked: tuple[LeakedRows, ...] | None
    empty: tuple[EmptyRows, ...]
    differences: tuple[ColumnDifference, ...]
    retokenized: tuple[RetokenizedRows, ...] = ()
    repeated: tuple[RepeatedRows, ...] = ()
    inside: tuple[InsideRows, ...] = ()
    forms: tuple[FormReport, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not any(
            (
                self.shared,
                self.leaked,
                self.empty,
                self.differences,
                self.retokenized,
                self.repeated,
                self.inside,
            )
        )

    @property
    def missed(self) -> float:
        """At most how probably a row was missed that is just `near` enough; more alike, less so."""
        return 0.0 if self.near is None else missed(self.near)

    def bad_rows(self, source: str) -> npt.NDArray[np.int64]:
        """Rows of a source that are better left out: shared, leaked or empty.

        Of shared rows it is the synthetic ones, also those that lie inside a longer human row; the
        human ones stay.

        Args:
            source: Its name.

        Returns:
            int64 of shape (rows,), rising, each row once.

        Raises:
            KeyError: There is no such source.
        """
        self._check(source)
        return _joined(
            *(part.rows for part in self.shared if part.synthetic == source),
            *(
                part.rows
                for part in self.inside
                if part.source == source and part.kinds == ("synthetic", "human")
            ),
            *(part.rows for part in self.leaked or () if part.source == source),
            *(part.rows for part in self.empty if part.source == source),
        )

    def repeated_rows(self, source: str) -> npt.NDArray[np.int64]:
        """Rows of a source that repeat an earlier row of their kind.

        Without them each text is shown as often as a pass shows it, and not once for each copy.

        Args:
            source: Its name.

        Returns:
            int64 of shape (rows,), rising, each row once.

        Raises:
            KeyError: There is no such source.
        """
        self._check(source)
        return _joined(*(part.rows for part in self.repeated if part.source == source))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain nested dicts and lists, every row number included, for JSON."""
        plain: dict[str, Any] = _plain({**asdict(self), "is_clean": self.is_clean})
        return plain

    def __str__(self) -> str:
        rows = ", ".join(f"{count:,} of {name}" for name, count in self.num_rows.items())
        lines = [
            f"{sum(self.num_rows.values()):,} rows checked: {rows}",
            *map(shared_line, self.shared),
            *map(repeated_line, self.repeated),
            *map(inside_line, self.inside),
            *map(leaked_line, self.leaked or ()),
            *(empty_line(none.source, none.rows) for none in self.empty),
            *map(difference_line, self.differences),
            *map(retokenized_line, self.retokenized),
            *(forms.sentence for forms in self.forms),
        ]
        if self.near is None:
            lines.append("not looked for: rows that are nearly the same, or lie inside longer ones")
        if self.leaked is None:
            lines.append("not looked for: held-out text, since no panel was given")
        if self.is_clean:
            lines.append("nothing found")
        return "\n".join(lines)

    def _check(self, source: str) -> None:
        if not isinstance(source, str) or source not in self.num_rows:
            raise KeyError(source)


def _joined(*parts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *parts]))


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    # JSON knows no infinity.
    return None if isinstance(value, float) and not math.isfinite(value) else value
