"""What each slot of a mixed stream shows: a function of (seed, slot) and nothing else."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from collapse_guard.mixing.order.row_order import RowOrder
from collapse_guard.mixing.order.token_counts import SLOTS_APART, TokenCounts, summed

# Locating 4,000 slots at once costs hardly more than locating 32, and a slot among 16,000 costs two
# thirds of one among 4,000: that is for who reads on.
_WINDOW = 1 << 12
_NEXT_WINDOW = 1 << 14


class Located(NamedTuple):
    """Where the rows of some slots come from.

    Attributes:
        is_human: bool of shape (n,), whether the row is human.
        source: int64 of shape (n,), the number of its source in `MixGuard.sources`.
        row: int64 of shape (n,), its number in that source.
        is_first: bool of shape (n,), whether no earlier slot of the whole stream shows it.
    """

    is_human: npt.NDArray[np.bool_]
    source: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    is_first: npt.NDArray[np.bool_]


class SlotSources(Protocol):
    """Which source each slot is from: `Slots`, or `TokenSlots` where the floor counts tokens.

    Attributes:
        block_size: Slots of a block.
        fewest_human: Human rows that each block is sure to hold.
    """

    block_size: int
    fewest_human: int

    def assign(
        self, slots: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The source of each slot, and how many earlier slots are from it."""

    def draws_before(self, slot: int) -> npt.NDArray[np.int64]:
        """How many of the first `slot` slots are from each source."""


@dataclass(frozen=True, eq=False)
class MixPlan:
    """Sends each slot to a row of one of the sources.

    Nothing is drawn and nothing is remembered, so that any process, worker or resumed run finds
    the same row in the same slot.

    Attributes:
        slots: Which source each slot is from.
        orders: The rows of each source.
        is_human: bool of shape (num_sources,), which sources are human.
        slots_per_epoch: A whole number of blocks.
        epochs: Number of epochs.
        tokens: Trained tokens, where the floor counts them.
    """

    slots: SlotSources
    orders: tuple[RowOrder, ...]
    is_human: npt.NDArray[np.bool_]
    slots_per_epoch: int
    epochs: int
    tokens: TokenCounts | None = None

    def locate(self, slots: npt.NDArray[np.int64]) -> Located:
        """Where the row of each slot comes from.

        Args:
            slots: int64 of shape (n,), at least 0.

        Returns:
            Arrays of shape (n,).
        """
        sources, draws = self.slots.assign(slots)
        rows, is_first = np.empty_like(slots), np.empty(slots.shape, dtype=np.bool_)
        for source, order in enumerate(self.orders):
            chosen = sources == source
            rows[chosen], is_first[chosen] = order.rows(draws[chosen])
        return Located(self.is_human[sources], sources, rows, is_first)

    def draws_before(self, slot: int) -> npt.NDArray[np.int64]:
        """How many of the first `slot` slots are from each source: int64 of (num_sources,).

        Takes no longer for a long stream than for a short one.
        """
        return self.slots.draws_before(slot)

    def tokens_before(self, slot: int) -> npt.NDArray[np.int64] | None:
        """Trained tokens of each source in the first `slot` slots: int64 of (num_sources,).

        Takes no longer for a long stream than for a short one. None where tokens do not count.
        """
        if self.tokens is None:
            return None
        epoch, offset = divmod(slot, self.slots_per_epoch)
        before: npt.NDArray[np.int64] = self.tokens.epochs[epoch].copy()
        if offset:
            place = offset // SLOTS_APART
            before += self.tokens.sums[epoch, place]
            located = self.locate(np.arange(slot - offset + place * SLOTS_APART, slot))
            tokens = self.tokens.of(located.source, located.row)
            before += summed(located.source, tokens, len(before))
        return before


class LookAhead:
    """A plan, read in order: answers most batches out of the window that it located last.

    The answers are the plan's own, whatever is asked and in whatever order.

    Args:
        plan: The plan.
    """

    def __init__(self, plan: MixPlan) -> None:
        self._plan = plan
        self._start = 0
        self._window = plan.locate(np.empty(0, dtype=np.int64))

    def locate(self, slots: npt.NDArray[np.int64]) -> Located:
        """As `MixPlan.locate`, for at least one slot."""
        low, size = int(slots[0]), len(slots)
        # As loaders ask, for which slices take a third of the time that numbers do.
        runs_on = slots.tolist() == list(range(low, low + size))
        high = low + size - 1
        if not runs_on:
            low, high = int(slots.min()), int(slots.max())
        if high - low >= _WINDOW:
            return self._plan.locate(slots)
        end = self._start + len(self._window.row)
        if low < self._start or high >= end:
            window = _NEXT_WINDOW if end and low <= end <= high + 1 else _WINDOW
            self._start, self._window = low, self._plan.locate(np.arange(low, low + window))
        first = low - self._start
        places: Any = slice(first, first + size) if runs_on else slots - self._start
        is_human, source, row, is_first = self._window
        return Located(is_human[places], source[places], row[places], is_first[places])
