"""The slots of one lane of a stream, and which source each of them is from."""

import math
from bisect import bisect_right
from collections import deque

import numpy as np
import numpy.typing as npt

from collapse_guard.mixing.order.slots import Slots

# Counts are kept at every so many portions of a lane: some thousands for a billion slots.
_APART = 1 << 14
# A reader asks for the same few places again and again.
_RECENT = 8

Counted = tuple[int, npt.NDArray[np.int64]]


class LaneSlots:
    """Every `lanes`-th portion of a stream: its slots, numbered anew as *places* of the lane.

    Which source a slot is from follows from the slot's number alone, as without lanes. Only a draw
    is counted within the lane: the k-th place of a source is its k-th draw there. That is no
    closed form, so it is counted from where it was counted last.

    Args:
        slots: Who gets which slots of the whole stream.
        lane: Number of this lane, from 0.
        lanes: How many there are.
        size: Slots of a portion: portion p is lane (p mod lanes)'s.
        repeats: Whether the slots are a single leg, which repeats for ever.
    """

    def __init__(
        self, slots: Slots, *, lane: int, lanes: int, size: int, repeats: bool = False
    ) -> None:
        self.num_sources = slots.num_sources
        self._slots = slots
        self._lane, self._lanes, self._size = lane, lanes, size
        self._period = math.lcm(slots.period, lanes * size) // (lanes * size) if repeats else None
        self._kept: list[Counted] = [(0, np.zeros(slots.num_sources, dtype=np.int64))]
        self._recent = deque(self._kept, maxlen=_RECENT)

    def slots(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The slots of the whole stream that some places of the lane are."""
        portions, offsets = np.divmod(places, self._size)
        slots: npt.NDArray[np.int64] = (portions * self._lanes + self._lane) * self._size + offsets
        return slots

    def places_before(self, slot: int) -> int:
        """How many of the first `slot` slots of the whole stream are the lane's."""
        deals, ahead = divmod(slot, self._lanes * self._size)
        return deals * self._size + min(max(ahead - self._lane * self._size, 0), self._size)

    def draws_before(self, place: int) -> npt.NDArray[np.int64]:
        """How many of the lane's first places are from each source: int64 of (num_sources,)."""
        portion, offset = divmod(place, self._size)
        if self._period is None:
            counts = self._in_portions(portion)
        else:
            periods, portions = divmod(portion, self._period)
            counts = self._in_portions(portions)
            if periods:
                counts = counts + periods * self._in_portions(self._period)
        if not offset:
            return counts.copy()
        start = (portion * self._lanes + self._lane) * self._size
        first, last = self._slots.draws_before_each(np.array([start, start + offset]))
        begun: npt.NDArray[np.int64] = counts + last - first
        return begun

    def assign(
        self, places: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The source and the draw of places in a row, as `Slots.assign` says them of slots.

        Args:
            places: int64 of shape (n,), one after another, at least one.

        Returns:
            Two int64 arrays of shape (n,).
        """
        sources, _ = self._slots.assign(self.slots(places))
        draws = np.empty_like(sources)
        for source, before in enumerate(self.draws_before(int(places[0])).tolist()):
            chosen = np.flatnonzero(sources == source)
            draws[chosen] = before + np.arange(chosen.size)
        return sources, draws

    def _in_portions(self, portions: int) -> npt.NDArray[np.int64]:
        """What the lane's first portions hold of each source."""
        kept = self._kept[bisect_right(self._kept, portions, key=lambda known: known[0]) - 1]
        near = [known for known in self._recent if known[0] <= portions]
        at, counts = max([kept, *near], key=lambda known: known[0])
        while at < portions:
            stop = min(portions, at - at % _APART + _APART)
            starts = (np.arange(at, stop) * self._lanes + self._lane) * self._size
            before = self._slots.draws_before_each(starts).sum(axis=0)
            after = self._slots.draws_before_each(starts + self._size).sum(axis=0)
            at, counts = stop, counts + after - before
            if at == self._kept[-1][0] + _APART:
                self._kept.append((at, counts))
        self._recent.append((at, counts))
        return counts
