"""Begins to read the sources of a stream."""

from collections.abc import Sequence

from collapse_guard.mixing.loaders.first_rows import Differs
from collapse_guard.mixing.streaming.build import StreamPlan
from collapse_guard.mixing.streaming.cursors import Cursor, MapCursor
from collapse_guard.mixing.streaming.stream_cursor import StreamCursor
from collapse_guard.rows.row_source import RowSource


def open_cursors(
    plan: StreamPlan, *, buffer: int, seed: int, differs: Sequence[Differs] | None = None
) -> list[Cursor]:
    """A reader of each source, at its first row.

    Args:
        plan: Of the stream.
        buffer: Rows of a stream that are shuffled together.
        seed: Of the stream.
        differs: Compares what is read first of each source with what other readers read; None to
            read nothing of it.
    """
    return [
        MapCursor(rows, max_repeats=repeats, key=(seed, key))
        if isinstance(rows, RowSource)
        else StreamCursor(
            source.name,
            rows,
            buffer=buffer,
            max_repeats=repeats,
            key=(seed, key),
            differs=None if differs is None else differs[number],
        )
        for number, (source, rows, repeats, key) in enumerate(
            zip(plan.sources, plan.rows, plan.max_repeats, plan.keys, strict=True)
        )
    ]
