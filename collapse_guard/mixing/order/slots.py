"""Which source each slot of the stream is from, and how many of its rows come before."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse_guard.mixing.order.interleave import Interleave, Patterns
from collapse_guard.mixing.order.periods import locate_periods


@dataclass(frozen=True)
class Leg:
    """Slots in a row that are split among the sources in one way.

    Attributes:
        blocks: Blocks of a *period*: an epoch, or the part of one that a stage covers.
        periods: How many of them follow one another.
        human_per_block: q, the human floor's slots of each block.
        floor: Draws that each source gets of the floor's slots of a period: blocks x q in all.
        rest: Draws that each source gets of the other slots of a period.
        floor_reserved: Those of `floor` that are spread on their own, a whole number in each
            block, so that each block holds them.
        rest_reserved: Likewise of `rest`.
    """

    blocks: int
    periods: int
    human_per_block: int
    floor: tuple[int, ...]
    rest: tuple[int, ...]
    floor_reserved: tuple[int, ...]
    rest_reserved: tuple[int, ...]

    @property
    def draws(self) -> tuple[int, ...]:
        """Draws that each source gets of a period."""
        return tuple(a + b for a, b in zip(self.floor, self.rest, strict=True))


class Slots:
    """Sends each slot to a source and a draw of it, with nothing remembered.

    With G the block size and q the human floor's slots of each block of a leg, the first t slots of
    the leg hold floor(t q / G) floor slots, and slot t is one where this number rises. The draws
    of the floor's slots, and those of the others, are each split by an `Interleave`. So:

    * Every m G consecutive slots of a leg hold exactly m q of the floor's slots, wherever they
      start; `floor_segments` has the rest of the promise, across legs too.
    * Every G consecutive slots of a leg hold what is reserved for each source, wherever they
      start. They hold exactly w = q (or G - q) draws of that side, one after another, of which
      R are reserved for some source and r for this one. A period has exactly B w, B R and B r of
      these, B being its number of blocks, so at the root of the tree, which parts the R from the
      rest, draw k goes to the reserved half where floor((k + 1) R / w) > floor(k R / w), and any
      w consecutive draws have exactly R such; likewise any R consecutive ones of these exactly r,
      by the same step at each node below. As B cancels out, legs of one q go on where the last
      one stopped: this holds across their borders too.
    * A window that holds d draws of a side holds a source's share of the d that are not reserved
      to within one draw per level of the tree.

    Args:
        legs: One after another; the last goes on for ever.
        block_size: G, in slots.

    Attributes:
        block_size: G, in slots.
        num_sources: Number of sources.
        fewest_human: The floor's slots in the block that has the fewest.
        period: Slots after which the last leg repeats.
    """

    def __init__(self, legs: Sequence[Leg], block_size: int) -> None:
        self.block_size = block_size
        self._human_per_block = np.array([leg.human_per_block for leg in legs], dtype=np.int64)
        self._periods = np.array([leg.blocks * block_size for leg in legs], dtype=np.int64)
        repeats = np.array([leg.periods for leg in legs], dtype=np.int64)
        self._first_slots = _starts(self._periods * repeats)
        floor, floor_leaves = _layout(
            [leg.floor for leg in legs], [leg.floor_reserved for leg in legs]
        )
        rest, rest_leaves = _layout([leg.rest for leg in legs], [leg.rest_reserved for leg in legs])
        self._sides = (Interleave(rest), Interleave(floor))
        self._sources = (rest_leaves, floor_leaves)
        self.num_sources = len(legs[0].floor)
        self.fewest_human = min(leg.human_per_block for leg in legs)
        self.period = legs[-1].blocks * block_size
        self._leaves = [
            [
                (side, leaf)
                for side, (sources, shares) in enumerate(
                    ((rest_leaves, rest), (floor_leaves, floor))
                )
                for leaf in np.flatnonzero(sources == source).tolist()
                if shares[:, leaf].any()
            ]
            for source in range(self.num_sources)
        ]
        self._draws = np.array([leg.draws for leg in legs], dtype=np.int64)
        self._first_draws = _starts(self._draws * repeats[:, None])

    def assign(
        self, slots: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The source of each slot, and how many earlier slots are from the same source.

        Args:
            slots: int64 of shape (n,), at least 0.

        Returns:
            Two int64 arrays of shape (n,).
        """
        legs, periods, offsets = self._positions(slots)
        floor_before = self._floor_before(legs, offsets)
        is_floor = self._floor_before(legs, offsets + 1) > floor_before
        sources, draws = np.empty_like(slots), np.empty_like(slots)
        for side, chosen in enumerate((~is_floor, is_floor)):
            before = (floor_before if side else offsets - floor_before)[chosen]
            leaves, turns = self._sides[side].locate(before, _of(legs, chosen))
            sources[chosen], draws[chosen] = self._sources[side][leaves], turns
        for source, leaves_of_source in enumerate(self._leaves):
            if len(leaves_of_source) > 1:
                chosen = sources == source
                draws[chosen] = self._turns_before(
                    source, _of(legs, chosen), offsets[chosen], floor_before[chosen]
                )
        draws += self._first_draws[legs, sources] + periods * self._draws[legs, sources]
        return sources, draws

    def draws_before(self, slot: int) -> npt.NDArray[np.int64]:
        """How many of the first `slot` slots are from each source: int64 of (num_sources,)."""
        before: npt.NDArray[np.int64] = self.draws_before_each(np.array([slot]))[0]
        return before

    def draws_before_each(self, slots: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """How many slots before each of these are from each source.

        Args:
            slots: int64 of shape (n,), at least 0.

        Returns:
            int64 of shape (n, num_sources).
        """
        legs, periods, offsets = self._positions(slots)
        floor_before = self._floor_before(legs, offsets)
        turns = [
            self._turns_before(source, legs, offsets, floor_before)
            for source in range(self.num_sources)
        ]
        before: npt.NDArray[np.int64] = (
            self._first_draws[legs] + periods[:, None] * self._draws[legs] + np.stack(turns, axis=1)
        )
        return before

    def _positions(
        self, slots: npt.NDArray[np.int64]
    ) -> tuple[Patterns, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The leg of each slot, its period within the leg, and its number within the period."""
        return locate_periods(slots, self._first_slots, self._periods)

    def _floor_before(
        self, legs: Patterns, offsets: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        before: npt.NDArray[np.int64] = offsets * self._human_per_block[legs] // self.block_size
        return before

    def _turns_before(
        self,
        source: int,
        legs: Patterns,
        offsets: npt.NDArray[np.int64],
        floor_before: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.int64]:
        turns = np.zeros_like(offsets)
        for side, leaf in self._leaves[source]:
            before = floor_before if side else offsets - floor_before
            turns += self._sides[side].turns_before(before, leaf, legs)
        return turns


def _layout(
    shares: Sequence[Sequence[int]], reserved: Sequence[Sequence[int]]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Shares of the leaves of a tree, [legs, leaves], and the source of each leaf."""
    every, kept = np.array(shares, dtype=np.int64), np.array(reserved, dtype=np.int64)
    present = np.flatnonzero(every.any(axis=0))
    if not present.size:
        return np.zeros((len(every), 1), dtype=np.int64), np.zeros(1, dtype=np.int64)
    every, kept = every[:, present], kept[:, present]
    if not kept.any():
        return every, present
    # Equal halves of a power of two: so the root of the tree parts what is reserved from the rest.
    spare = (1 << (len(present) - 1).bit_length()) - len(present)
    halves = [np.pad(half, ((0, 0), (0, spare))) for half in (every - kept, kept)]
    return np.hstack(halves), np.tile(np.pad(present, (0, spare)), 2)


def _starts(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    starts: npt.NDArray[np.int64] = np.cumsum(lengths, axis=0) - lengths
    return starts


def _of(patterns: Patterns, chosen: npt.NDArray[np.bool_]) -> Patterns:
    return patterns if isinstance(patterns, int) else patterns[chosen]
