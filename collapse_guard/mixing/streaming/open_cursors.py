"""Begins to read the sources of a stream."""

from collections.abc import Sequence

from collapse_guard.mixing.loaders.first_rows import Differs
from collapse_guard.mixing.streaming.build import StreamPlan
from collapse_guard.mixing.streaming.cursors import Cursor, MapCursor, NoCursor
from collapse_guard.mixing.streaming.stream_cursor import StreamCursor
from collapse_guard.mixing.streaming.thinning import qualities_of
from collapse_guard.rows.row_source import RowSource

# Keys of sources lie below.
_LANES_APART = 2**32


def open_cursors(
    plan: StreamPlan,
    lane: int = 0,
    *,
    buffer: int,
    seed: int,
    differs: Sequence[Differs] | None = None,
) -> list[Cursor]:
    """A cursor on each source, at its first row.

    Args:
        plan: Of the stream.
        lane: Number of the lane whose rows are read, where there are lanes.
        buffer: Rows of a chunk of a stream.
        seed: A whole number from 0.
        differs: Compares what is read first of each source with what other readers read; None to
            compare nothing.
    """
    rows = plan.rows if plan.lanes is None else plan.lanes.rows(plan.rows, lane)
    boosted = None if plan.boost is None else plan.boost.qualities
    cursors: list[Cursor] = []
    compared = [None] * len(plan.sources) if differs is None else differs
    for source, own, repeats, number, check, compare in zip(
        plan.sources, rows, plan.max_repeats, plan.keys, plan.checks, compared, strict=True
    ):
        key = (seed, number + lane * _LANES_APART)
        if own is None:
            cursors.append(NoCursor())
        elif isinstance(own, RowSource):
            cursors.append(MapCursor(own, max_repeats=repeats, key=key, check=check))
        else:
            cursors.append(
                StreamCursor(
                    source.name,
                    own,
                    buffer=buffer,
                    max_repeats=repeats,
                    key=key,
                    check=check,
                    differs=compare,
                    qualities=qualities_of(source, boosted if source.kind == "human" else None),
                )
            )
    return cursors
