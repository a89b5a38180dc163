"""States of a mixed stream, which are checked as a whole before any of it is gone on from."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import MOST
from collapse_guard.errors import bad_argument
from collapse_guard.mixing.identity import another_mix, differences
from collapse_guard.mixing.streaming.cursors import Cursor
from collapse_guard.mixing.streaming.lane_states import check_lanes_held
from collapse_guard.mixing.streaming.lanes import Lanes
from collapse_guard.statistics.json_forms import MOST as FARTHEST, Part

_WHERE = ("version", "stream", "base")
_READER = ("size", "readers", "reader", "shown")


def check_state(
    state: Any,
    *,
    version: int,
    identity: Mapping[str, Any],
    length: int | None,
    open_cursors: Callable[[int], Sequence[Cursor]],
    shown_before: Callable[[int], npt.NDArray[np.int64]],
    ahead: int | None,
    lanes: Lanes | None = None,
) -> None:
    """Refuse what `MixStream.state_dict` cannot have said of a stream like this one.

    Args:
        state: What is given for one.
        version: That it must have.
        identity: Of its stream, which the state's must share.
        length: Slots of the stream; None where that is not known.
        open_cursors: Opens the sources, or what a lane has of them.
        shown_before: How many of so many first slots are from each source.
        ahead: By how many draws, beside a portion of each reader, the rows that a source is to be
            gone on from may lie before what was shown last; None where dry sources hand over.
        lanes: Of the stream, if it has any.

    Raises:
        ArgumentError: Names the part that is wrong.
    """
    whole = Part("state", state)
    whole.entries()
    if type(state.get("version")) is not int or state["version"] != version:
        raise bad_argument(
            "state",
            expected=f"a state of version {version}",
            given=state.get("version"),
            hint="resume with the release that wrote it, or with resume_at(slots)",
        )
    reader = (*_READER, "sources" if lanes is None else "lanes")
    parts = whole.keys(*_WHERE, optional=reader)
    parts["stream"].entries()
    if found := differences(state["stream"], identity):
        raise another_mix("state", found)
    if len(parts) == len(_WHERE):
        parts["base"].whole(most=FARTHEST)
        return
    parts = whole.keys(*_WHERE, *reader)
    size, readers = (parts[name].whole(least=1, most=MOST) for name in ("size", "readers"))
    parts["reader"].whole(most=readers - 1)
    # Rounded up to a portion of each reader.
    end = FARTHEST if length is None else length + readers * size
    base = parts["base"].whole(most=end)
    # Whole portions of all readers, of which this one has had its own.
    shown = parts["shown"].whole(most=((end - base) // (readers * size) + 1) * size)
    if lanes is not None:
        check_lanes_held(parts, lanes, open_cursors, ahead=ahead)
        return
    cursors = open_cursors(0)
    start = base + shown // size * readers * size
    furthest = None if ahead is None else ahead + readers * size
    # What dry sources hand over is known when it is read.
    draws = [FARTHEST] * len(cursors) if ahead is None else shown_before(start).tolist()
    sources = parts["sources"].items(len(cursors))
    for cursor, source, drawn in zip(cursors, sources, draws, strict=True):
        cursor.check_state(source, drawn=drawn, furthest=furthest)
