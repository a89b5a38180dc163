"""Which source each slot of a stream is from, where sources may run dry on the way."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from collapse_guard.mixing.order.slots import Slots
from collapse_guard.mixing.streaming.lane_slots import LaneSlots

_UNKNOWN = np.iinfo(np.int64).max


class DealtSlots:
    """Slots that learn, while the stream is read, which sources have run dry.

    What a dry source is asked for beyond its supply goes to the human sources, one after another.
    As any process finds the same supply, it hands over the same slots: still nothing is remembered.

    Args:
        slots: Who would get which slots, of the stream or of one lane, if no source ran dry.
        human: Numbers of the human sources, at least one where something is handed over.
    """

    def __init__(self, slots: Slots | LaneSlots, human: Sequence[int]) -> None:
        self._slots = slots
        self._human = np.array(human, dtype=np.int64)
        self._supplies = np.full(slots.num_sources, _UNKNOWN)

    def hand_over(self, source: int, supply: int) -> None:
        """From its draw number `supply` on, a source's slots are human."""
        self._supplies[source] = supply

    def shown_before(self, slot: int) -> npt.NDArray[np.int64]:
        """How many of the first `slot` slots are from each source: int64 of (num_sources,)."""
        asked = self._slots.draws_before(slot)
        shown: npt.NDArray[np.int64] = np.minimum(asked, self._supplies)
        handed_over = int((asked - shown).sum())
        if handed_over:
            takers = len(self._human)
            shown[self._human] += (handed_over + takers - 1 - np.arange(takers)) // takers
        return shown

    def assign(self, start: int, stop: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The source and the draw of slots in a row.

        Args:
            start: The first slot.
            stop: The slot after the last, above `start`.

        Returns:
            Two int64 arrays of shape (stop - start,).
        """
        sources, draws = self._slots.assign(np.arange(start, stop))
        over = np.flatnonzero(draws >= self._supplies[sources])
        if not over.size and (self._supplies == _UNKNOWN).all():
            return sources, draws
        asked = self._slots.draws_before(start)
        before = int((asked - np.minimum(asked, self._supplies)).sum())
        sources[over] = self._human[(before + np.arange(over.size)) % len(self._human)]
        for source, shown in enumerate(self.shown_before(start).tolist()):
            places = np.flatnonzero(sources == source)
            draws[places] = shown + np.arange(places.size)
        return sources, draws
