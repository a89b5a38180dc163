"""States of the lanes that a reader reads, which are checked with the rest of a stream's state."""

from collections.abc import Callable, Mapping, Sequence

from collapse_guard.mixing.streaming.cursors import Cursor
from collapse_guard.mixing.streaming.dealt_reader import Portions
from collapse_guard.mixing.streaming.lane_reader import own_lanes, slot_of
from collapse_guard.mixing.streaming.lanes import Lanes
from collapse_guard.statistics.json_forms import MOST as FARTHEST, Part


def check_lanes_held(
    parts: Mapping[str, Part],
    lanes: Lanes,
    open_cursors: Callable[[int], Sequence[Cursor]],
    *,
    ahead: int | None,
) -> None:
    """Refuse what `LaneReader.state_dict` cannot have said.

    Args:
        parts: Of the state; the whole numbers among them are in their ranges.
        lanes: Of the stream.
        open_cursors: Opens what a lane has of the sources.
        ahead: As of `check_state`.

    Raises:
        ArgumentError: Names the part that is wrong.
    """
    base, size, readers, reader = (
        parts[name].whole() for name in ("base", "size", "readers", "reader")
    )
    parts["size"].check(size == lanes.size, f"{lanes.size}, as the stream's batch_size")
    parts["readers"].check(len(lanes) % readers == 0, f"a divisor of {len(lanes)} lanes")
    aligned = readers == 1 or base % size == 0
    parts["base"].check(aligned, f"a multiple of batch_size={size}")
    portions = Portions(base, size, readers, reader)
    slot = slot_of(portions, parts["shown"].whole())
    own = own_lanes(portions, len(lanes))
    for lane, held in zip(own, parts["lanes"].items(len(own)), strict=True):
        place = lanes.slots[lane].places_before(slot)
        cursors = open_cursors(lane)
        draws = [FARTHEST] * len(cursors)
        if ahead is not None:
            draws = lanes.slots[lane].draws_before(place - place % size).tolist()
        furthest = None if ahead is None else ahead + size
        for cursor, part, drawn in zip(cursors, held.items(len(cursors)), draws, strict=True):
            cursor.check_state(part, drawn=drawn, furthest=furthest)
