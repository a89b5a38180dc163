"""Opens a reader of a stream, whole or in lanes, where a run begins or goes on."""

from collections.abc import Mapping, Sequence
from typing import Any

from collapse_guard.mixing.streaming.build import StreamPlan
from collapse_guard.mixing.streaming.cursors import Cursor, MapCursor, NoCursor, StreamCursor
from collapse_guard.mixing.streaming.dealt_reader import Portions, StreamReader
from collapse_guard.mixing.streaming.dealt_slots import DealtSlots
from collapse_guard.mixing.streaming.lane_reader import LaneReader, states_of
from collapse_guard.mixing.streaming.thinning import qualities_of
from collapse_guard.rows.marks import Marks
from collapse_guard.rows.row_source import RowSource
from collapse_guard.rows.source import Source

# Keys of sources lie below.
_LANES_APART = 2**32


def open_reader(
    plan: StreamPlan,
    sources: Sequence[Source],
    portions: Portions,
    shown: int,
    state: Mapping[str, Any],
    *,
    buffer: int,
    seed: int,
    unit: int,
    length: int | None,
    marks: Marks | None,
) -> StreamReader | LaneReader:
    """A reader at the first slot that it is to show.

    Args:
        plan: Of the stream.
        sources: As described, with what was found since the plan was made.
        portions: Which slots it reads.
        shown: Own slots that were read before.
        state: As of `MixStream`, to go on from; empty to read again up to there.
        buffer: Rows of a chunk of a stream.
        seed: A whole number from 0.
        unit: The stream ends after a whole number of so many slots.
        length: Slots of the stream; None where that is not known.
        marks: Marks the labels of rows; None to leave rows as they are.

    Raises:
        ArgumentError: Several readers would begin in the middle of a lane's portion.
    """
    human = [number for number, source in enumerate(sources) if source.kind == "human"]
    lanes = plan.lanes
    if lanes is None:
        cursors = open_cursors(plan, buffer=buffer, seed=seed)
        for cursor, held in zip(cursors, state.get("sources", ()), strict=False):
            cursor.load_state_dict(held)
        return StreamReader(
            sources,
            cursors,
            DealtSlots(plan.slots, human),
            portions,
            unit=unit,
            length=length,
            shown=shown,
            marks=marks,
        )

    def open_lane(lane: int, place: int, states: Sequence[Any]) -> StreamReader:
        cursors = open_cursors(plan, lane, buffer=buffer, seed=seed)
        for cursor, held in zip(cursors, states, strict=False):
            cursor.load_state_dict(held)
        return StreamReader(
            sources,
            cursors,
            DealtSlots(lanes.slots[lane], human),
            Portions(0, lanes.size, 1, 0),
            unit=lanes.size,
            length=lanes.length,
            shown=place,
            marks=marks,
            lanes=len(lanes),
        )

    return LaneReader(lanes, portions, shown, states_of(state, portions, len(lanes)), open_lane)


def open_cursors(plan: StreamPlan, lane: int = 0, *, buffer: int, seed: int) -> list[Cursor]:
    """A cursor on each source, at its first row.

    Args:
        plan: Of the stream.
        lane: Number of the lane whose rows are read, where there are lanes.
        buffer: Rows of a chunk of a stream.
        seed: A whole number from 0.
    """
    rows = plan.rows if plan.lanes is None else plan.lanes.rows(plan.rows, lane)
    boosted = None if plan.boost is None else plan.boost.qualities
    cursors: list[Cursor] = []
    for source, own, repeats, number, check in zip(
        plan.sources, rows, plan.max_repeats, plan.keys, plan.checks, strict=True
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
                    qualities=qualities_of(source, boosted if source.kind == "human" else None),
                )
            )
    return cursors
