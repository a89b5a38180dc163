"""Which source each slot of the stream is from, where the floor counts tokens."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from collapse_guard.mixing.order.interleave import Interleave
from collapse_guard.mixing.tokens.ranked_bits import RankedBits


class TokenSlots:
    """Sends each slot to a source and a draw of it; the same as `Slots` for a floor of tokens.

    Which slots are human stands in one bit each, as lengths decide it. All else is arithmetic: the
    draws of each kind are split among its sources by an `Interleave` in each epoch.

    Args:
        is_human: Of each slot of all epochs; as many are set in each epoch as human sources draw.
        draws: Draws that an epoch asks of each source.
        human: bool of shape (num_sources,), which sources are human.
        block_size: Slots of a block, for reports.

    Attributes:
        block_size: As given.
        num_sources: Number of sources.
        fewest_human: Human rows that each block is sure to hold: 0, as tokens are counted.
    """

    fewest_human = 0

    def __init__(
        self,
        is_human: RankedBits,
        draws: Sequence[int],
        human: npt.NDArray[np.bool_],
        *,
        epochs: int,
        block_size: int,
    ) -> None:
        self.block_size = block_size
        self.num_sources = len(draws)
        self._is_human = is_human
        self._draws = np.array(draws, dtype=np.int64)
        self._slots_per_epoch = int(self._draws.sum())
        self._last = self._slots_per_epoch * epochs - 1
        self._human_per_epoch = int(self._draws[human].sum())
        self._sources = (np.flatnonzero(~human), np.flatnonzero(human))
        self._sides = tuple(
            Interleave(self._draws[sources] if sources.size else [0]) for sources in self._sources
        )

    def assign(
        self, slots: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The source of each slot, and how many earlier slots are from the same source.

        Args:
            slots: int64 of shape (n,), at least 0; those behind the end count as the last one.

        Returns:
            Two int64 arrays of shape (n,).
        """
        slots = np.minimum(slots, self._last)
        epochs, offsets = np.divmod(slots, self._slots_per_epoch)
        is_human, human_before = self._is_human.locate(slots)
        human_before = human_before - epochs * self._human_per_epoch
        sources, draws = np.empty_like(slots), np.empty_like(slots)
        for side, chosen in enumerate((~is_human, is_human)):
            before = (human_before if side else offsets - human_before)[chosen]
            leaves, draws[chosen] = self._sides[side].locate(before)
            if chosen.any():
                sources[chosen] = self._sources[side][leaves]
        draws += epochs * self._draws[sources]
        return sources, draws

    def draws_before(self, slot: int) -> npt.NDArray[np.int64]:
        """How many of the first `slot` slots are from each source: int64 of (num_sources,)."""
        epoch, offset = divmod(slot, self._slots_per_epoch)
        before = epoch * self._draws
        if offset:
            human_before = int(self._is_human.locate(np.array([slot]))[1][0])
            human_before -= epoch * self._human_per_epoch
            for side, sources in enumerate(self._sources):
                if sources.size:
                    draw = human_before if side else offset - human_before
                    before[sources] += self._sides[side].counts_before(draw)
        return before
