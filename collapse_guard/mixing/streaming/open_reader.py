"""Opens a reader of a stream, whole or in lanes, where a run begins or goes on."""

from collections.abc import Mapping, Sequence
from typing import Any

from collapse_guard.mixing.loaders.first_rows import Differs
from collapse_guard.mixing.streaming.build import StreamPlan
from collapse_guard.mixing.streaming.dealt_reader import Portions, StreamReader
from collapse_guard.mixing.streaming.dealt_slots import DealtSlots
from collapse_guard.mixing.streaming.lane_reader import LaneReader, states_of
from collapse_guard.mixing.streaming.open_cursors import open_cursors
from collapse_guard.rows.marks import Marks
from collapse_guard.rows.source import Source


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
    differs: Sequence[Differs] | None = None,
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
        differs: As of `open_cursors`; lanes share no rows that could differ.

    Raises:
        ArgumentError: Several readers would begin in the middle of a lane's portion.
    """
    human = [number for number, source in enumerate(sources) if source.kind == "human"]
    lanes = plan.lanes
    if lanes is None:
        cursors = open_cursors(plan, buffer=buffer, seed=seed, differs=differs)
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
