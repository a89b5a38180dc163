"""The lines of a report on rows: how many, and the first of them."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.inside_rows import InsideRows
from collapse_guard.audit.leaks import LeakedRows
from collapse_guard.audit.repeated_rows import RepeatedRows
from collapse_guard.audit.retokenized import RetokenizedRows
from collapse_guard.audit.shared_rows import SharedRows
from collapse_guard.rows.schema import ColumnDifference

_ROWS_SHOWN = 5


def shared_line(part: SharedRows) -> str:
    """Synthetic rows that stand in a human source."""
    return (
        f"{part.synthetic}: {_count(part.rows, 'row stands', 'rows stand')} in "
        f"{part.human} too, {_copies(part)}"
    )


def repeated_line(part: RepeatedRows) -> str:
    """Rows that repeat earlier ones of their kind."""
    if part.source == part.other:
        counted = f"{_count(part.rows, 'row repeats', 'rows repeat')} earlier ones"
    else:
        counted = f"{_count(part.rows, 'row repeats', 'rows repeat')} rows of {part.other}"
    return f"{part.source}: {counted}, {_copies(part)}"


def inside_line(part: InsideRows) -> str:
    """Rows that lie inside longer ones."""
    where = "others" if part.source == part.other else f"rows of {part.other}"
    shown = [
        f"{row} in {longer} ({share:.0%})"
        for row, longer, share in zip(
            *(values[:_ROWS_SHOWN].tolist() for values in (part.rows, part.longer, part.share)),
            strict=True,
        )
    ]
    if part.kinds == ("human", "synthetic"):
        held = f"{part.other}: {_count(part.longer, 'row holds', 'rows hold')}"
        return f"{held} a whole row of {part.source}: {_list(shown, len(part.rows))}"
    counted = _count(part.rows, "row lies", "rows lie")
    return f"{part.source}: {counted} inside longer {where}: {_list(shown, len(part.rows))}"


def leaked_line(part: LeakedRows) -> str:
    """Rows that hold held-out text."""
    documents = _count(np.unique(part.documents), "held-out document", "held-out documents")
    return (
        f"{part.source}: {_count(part.rows, 'row holds', 'rows hold')} text of {documents}: "
        f"{_list(part.rows[:_ROWS_SHOWN].tolist(), len(part.rows))}"
    )


def empty_line(source: str, rows: npt.NDArray[np.int64]) -> str:
    """Rows of a source that hold nothing."""
    shown = _list(rows[:_ROWS_SHOWN].tolist(), len(rows))
    return f"{source}: {_count(rows, 'empty row', 'empty rows')}: {shown}"


def difference_line(part: ColumnDifference) -> str:
    """A column that is not the same in all sources."""
    types = ", ".join(f"{of or 'missing'} in {source}" for source, of in part.types.items())
    return f"column {part.column!r} differs: {types}"


def retokenized_line(part: RetokenizedRows) -> str:
    """A source whose ids are not those that were drawn."""
    return (
        f"{part.source}: tokenized anew, it seems: {part.rows:,} rows are just what the "
        f"tokenizer makes of their text, so that its decoding does not fit these ids; "
        f'decoding="find" finds what does'
    )


def _copies(part: SharedRows | RepeatedRows) -> str:
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
    return (
        f"{identical:,} identical and {len(part.rows) - identical:,} nearly so: "
        f"{_list(shown, len(part.rows))}"
    )


def _count(rows: npt.NDArray[np.int64], one: str, more: str) -> str:
    return f"{len(rows):,} {one if len(rows) == 1 else more}"


def _list(shown: Iterable[object], count: int) -> str:
    listed = [str(item) for item in shown]
    return ", ".join(listed) + (f", and {count - len(listed):,} more" * (count > len(listed)))
