"""How many trained tokens a stream has shown of each source, up to any slot."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

SLOTS_APART = 4096
"""Slots between two places of an epoch for which sums are kept."""


@dataclass(frozen=True, eq=False)
class TokenCounts:
    """Trained tokens of rows, and their sums over the stream.

    Attributes:
        lengths: For each source, integers of shape (rows,), the trained tokens of each row.
        floor: Least share of the tokens that is human.
        longest: Trained tokens of the longest row that the stream shows.
        sums: int64 of shape (epochs, places, num_sources), what the slots of an epoch show of each
            source before its slots 0, SLOTS_APART, 2 x SLOTS_APART, ...
        epochs: int64 of shape (epochs + 1, num_sources), what was shown before each epoch.
    """

    lengths: tuple[npt.NDArray[np.int32], ...]
    floor: Fraction
    longest: int
    sums: npt.NDArray[np.int64]
    epochs: npt.NDArray[np.int64]

    def of(
        self, sources: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """The trained tokens of rows.

        Args:
            sources: int64 of shape (n,), from which source each row comes.
            rows: int64 of shape (n,), its number there.

        Returns:
            int64 of shape (n,).
        """
        tokens = np.zeros(len(rows), dtype=np.int64)
        for source, lengths in enumerate(self.lengths):
            chosen = sources == source
            tokens[chosen] = lengths[rows[chosen]]
        return tokens


def summed(
    sources: npt.NDArray[np.int64], tokens: npt.NDArray[np.int64], num_sources: int
) -> npt.NDArray[np.int64]:
    """Tokens of each source: int64 of shape (num_sources,)."""
    return np.array([tokens[sources == s].sum() for s in range(num_sources)], dtype=np.int64)


def sums_of(epochs: Sequence[npt.NDArray[np.int64]]) -> tuple[npt.NDArray[np.int64], ...]:
    """`TokenCounts.sums` and `TokenCounts.epochs`.

    Args:
        epochs: For each epoch int64 of shape (places, num_sources): what its stretches of
            `SLOTS_APART` slots show of each source, the last of which may be short.
    """
    stretches = np.stack(epochs)
    whole = stretches.sum(axis=1)
    before = np.concatenate([np.zeros_like(whole[:1]), np.cumsum(whole, axis=0)])
    return np.cumsum(stretches, axis=1) - stretches, before
