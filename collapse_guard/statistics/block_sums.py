"""Which chance two looks at decayed ratios share, block of documents by block.

Looks at documents that come one after another see some of the same ones, with other weights. Of a
panel each document says itself what it contributes to an error (`Estimate.influences`), look after
look in one place. Here documents are too many to be kept: blocks of them are, in a ring that new
ones overwrite once what was there counts for nothing. So a boundary that asks how far two looks are
wrong together (`supremum_boundary`) is told it in the same form.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.statistics.estimates import Estimate
from collapse_guard.statistics.json_forms import Part, RestoredWhole

Floats = npt.NDArray[np.float64]

SLOTS, FIRST = 128, 16
"""Blocks that are kept, and how many of them are of the first documents, which stay."""

BLOCKS_OF_MEMORY = 16
"""So many further blocks make up a memory: what a ring overwrites counts exp(-7) of a new one."""


class BlockSums(RestoredWhole):
    """Exponentially weighted sums of blocks of documents, for ratios.

    A block that overwrites another has a sign of its own, by chance: else a boundary would take
    its documents for those that were in its place.

    Args:
        num_ratios: q.
        memory: Documents after which one counts exp(-1) of a new one, above 0; infinite to let all
            count alike.
        first: So many documents make up the first blocks, at least 1.
        block: Documents of each further block, at least 1.

    Attributes:
        sums: float64 of shape (SLOTS, 2, q), of numerators and denominators. Those of several
            processes may be added.

    Example:
        >>> blocks = BlockSums(1, memory=math.inf, first=32, block=4)
        >>> blocks.add(np.ones((40, 1)), np.full((40, 1), 2.0))
        >>> blocks.sums[:2, :, 0].tolist(), abs(blocks.sums[16:18, :, 0]).tolist()
        ([[2.0, 4.0], [2.0, 4.0]], [[4.0, 8.0], [4.0, 8.0]])
    """

    def __init__(self, num_ratios: int, memory: float, *, first: int, block: int) -> None:
        self._shrink = math.exp(-1.0 / memory)
        self._first, self._block = first, block
        self._documents = 0
        self.sums: Floats = np.zeros((SLOTS, 2, num_ratios))

    def add(self, numerators: Floats, denominators: Floats) -> None:
        """Take in documents, the oldest first; both float64 of shape (documents, q)."""
        weights = self._shrink ** np.arange(len(numerators) - 1, -1, -1)
        weighted = weights[:, None, None] * np.stack([numerators, denominators], axis=1)
        self.sums *= self._shrink ** len(numerators)
        numbers = self._documents + np.arange(len(numerators))
        self._documents += len(numerators)
        blocks = np.where(
            numbers < self._first,
            numbers * FIRST // self._first,
            FIRST + (numbers - self._first) // self._block,
        )
        for block in np.unique(blocks).tolist():
            slot, sign = _place(block)
            here = blocks == block
            begins_at = self._first + (block - FIRST) * self._block
            if block >= FIRST and begins_at >= numbers[0]:
                self.sums[slot] = 0.0
            self.sums[slot] += sign * weighted[here].sum(0)

    def state_dict(self) -> dict[str, Any]:
        """Sums and the number of documents, in plain JSON types."""
        return {"sums": self.sums.tolist(), "documents": self._documents}

    def restoring(self, state: Part) -> Callable[[], None]:
        """As `RestoredWhole.restoring`."""
        parts = state.keys("sums", "documents")
        sums = parts["sums"].numbers(*self.sums.shape)
        documents = parts["documents"].whole()
        parts["sums"].check(documents > 0 or not sums.any(), "zeros where there is no document")

        def restore() -> None:
            self.sums, self._documents = sums, documents

        return restore


def influences(sums: Floats, ratios: Sequence[Estimate]) -> Floats:
    """What each block contributes to the error of each ratio, up to a factor.

    Args:
        sums: Those of `BlockSums`.
        ratios: q of them, of the same documents.

    Returns:
        float64 of shape (q, SLOTS); 0 for a ratio without documents.
    """
    values = np.array([each.value for each in ratios])
    numerators, denominators = sums[:, 0], sums[:, 1]
    total = np.abs(denominators).sum(0)
    of_each: Floats = (numerators - np.nan_to_num(values) * denominators) / np.where(
        total, total, 1.0
    )
    return of_each.T


def _place(block: int) -> tuple[int, float]:
    """The slot of a block, and its sign."""
    if block < SLOTS:
        return block, 1.0
    sign = 1.0 if np.random.default_rng(block).integers(2) else -1.0
    return FIRST + (block - FIRST) % (SLOTS - FIRST), sign
