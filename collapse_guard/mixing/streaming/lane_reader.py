"""One reader of a stream with lanes, which reads those lanes that its portions are of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from collapse_guard.errors import bad_argument
from collapse_guard.mixing.streaming.dealt_reader import Portions, StreamReader
from collapse_guard.mixing.streaming.lanes import Lanes


class LaneReader:
    """Reads the rows of one reader's slots, each out of its lane.

    Args:
        lanes: Of the stream.
        portions: Which slots this reader reads.
        shown: Own slots that were read before.
        states: Of the cursors of each own lane, in the order of their numbers; empty to read again
            up to there.
        open_lane: Opens a lane at one of its places, with such a state or without one.

    Raises:
        ArgumentError: Several readers would begin in the middle of a portion.
    """

    def __init__(
        self,
        lanes: Lanes,
        portions: Portions,
        shown: int,
        states: Sequence[Any],
        open_lane: Callable[[int, int, Sequence[Any]], StreamReader],
    ) -> None:
        self.portions, self.shown = aligned(portions, shown)
        self._lanes = lanes
        own = own_lanes(self.portions, len(lanes))
        slot = slot_of(self.portions, self.shown)
        self._readers = {
            lane: open_lane(lane, lanes.slots[lane].places_before(slot), state)
            for lane, state in zip(own, states or [()] * len(own), strict=True)
        }

    def rows(self) -> Iterator[Any]:
        """The rows, one after another.

        Raises:
            ArgumentError: A source has run dry that must not.
        """
        size = self.portions.size
        lanes = {lane: reader.rows() for lane, reader in self._readers.items()}
        while True:
            lane = slot_of(self.portions, self.shown) // size % len(self._lanes)
            due = size - self.shown % size
            for row in islice(lanes[lane], due):
                self.shown += 1
                due -= 1
                yield row
            if due:
                return

    def state_dict(self) -> dict[str, Any]:
        """Where it stands; plain data, of a size that does not grow."""
        return {
            **self.portions.state_dict(),
            "shown": self.shown,
            "lanes": [reader.state_dict()["sources"] for reader in self._readers.values()],
        }


def aligned(portions: Portions, shown: int) -> tuple[Portions, int]:
    """The same slots, in portions that begin where those of the lanes do.

    Raises:
        ArgumentError: Several readers would begin in the middle of a portion.
    """
    ahead = portions.base % portions.size
    if not ahead:
        return portions, shown
    if portions.readers > 1:
        raise bad_argument(
            "slots",
            expected=f"a whole number of portions of batch_size={portions.size} slots, with lanes",
            given=portions.base,
            hint="resume after a whole batch of each reader",
        )
    return Portions(portions.base - ahead, portions.size, 1, 0), shown + ahead


def slot_of(portions: Portions, shown: int) -> int:
    """The slot that a reader is to show after so many own ones."""
    number, offset = divmod(shown, portions.size)
    return portions.base + number * portions.deal + portions.reader * portions.size + offset


def own_lanes(portions: Portions, lanes: int) -> list[int]:
    """The lanes that a reader's portions are of, where the readers divide the lanes."""
    first = slot_of(portions, 0) // portions.size % portions.readers
    return list(range(first, lanes, portions.readers))


def states_of(state: Mapping[str, Any], portions: Portions, lanes: int) -> list[Any]:
    """What a state says of each lane that a reader reads, in the order of their numbers.

    Args:
        state: As of `MixStream`: of a lone reader, whose lanes any number of readers can go on
            with, of the same reader, or one that says only where to go on.
        portions: The reader's.
        lanes: How many there are.

    Returns:
        Empty where the rows are to be read again.
    """
    if "lanes" not in state:
        return []
    held: list[Any] = state["lanes"]
    if state["readers"] == 1:
        return [held[lane] for lane in own_lanes(portions, lanes)]
    mine = (portions.size, portions.readers, portions.reader)
    return held if mine == (state["size"], state["readers"], state["reader"]) else []
