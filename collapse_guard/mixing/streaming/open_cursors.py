"""Begins to read the sources of a stream."""

from collapse_guard.mixing.streaming.build import StreamPlan
from collapse_guard.mixing.streaming.cursors import Cursor, MapCursor
from collapse_guard.mixing.streaming.stream_cursor import StreamCursor
from collapse_guard.rows.row_source import RowSource


def open_cursors(plan: StreamPlan, *, buffer: int, seed: int) -> list[Cursor]:
    """A reader of each source, at its first row.

    Args:
        plan: Of the stream.
        buffer: Rows of a stream that are shuffled together.
        seed: Of the stream.
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
        )
        for source, rows, repeats, key in zip(
            plan.sources, plan.rows, plan.max_repeats, plan.keys, strict=True
        )
    ]
