"""The rows of one source, in groups of like rarity."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Strata:
    """Rows grouped from the commonest contents to the rarest.

    Attributes:
        sizes: int64 of shape (num_strata,), rows of each stratum, at least 1 each.
        rarity_ranges: Lowest and highest rarity of each stratum, in bits; None where the rows
            were not ranked.
        order: int32 of shape (rows,), the row numbers, stratum by stratum; None for all rows in
            their own order. Four bytes a row: all that is kept.
    """

    sizes: npt.NDArray[np.int64]
    rarity_ranges: tuple[tuple[float, float], ...] | None = None
    order: npt.NDArray[np.int32] | None = None

    @classmethod
    def unranked(cls, num_rows: int) -> Self:
        """All rows in one stratum."""
        return cls(np.array([num_rows], dtype=np.int64))

    @classmethod
    def by_rarity(cls, rarity: npt.NDArray[np.float32], num_strata: int) -> Self:
        """Strata cut at the quantiles of rarity.

        Rows of equal rarity always share a stratum, so there are fewer strata than asked for
        where many rows tie.

        Args:
            rarity: float32 of shape (rows,), in bits.
            num_strata: Number of strata, from 2 to 100.

        Example:
            >>> strata = Strata.by_rarity(np.float32([5, 1, 3, 1]), 2)
            >>> strata.sizes.tolist(), strata.order.tolist(), strata.rarity_ranges
            ([2, 2], [1, 3, 0, 2], ((1.0, 1.0), (3.0, 5.0)))
        """
        ranks = np.arange(1, num_strata) * len(rarity) // num_strata
        cuts = np.unique(np.partition(rarity, ranks)[ranks])
        # Nothing lies below the lowest rarity: a cut there would open an empty stratum.
        stratum = np.searchsorted(cuts[cuts > rarity.min()], rarity, side="right").astype(np.uint8)
        groups = [np.flatnonzero(stratum == s).astype(np.int32) for s in range(stratum.max() + 1)]
        return cls(
            sizes=np.array([len(group) for group in groups], dtype=np.int64),
            rarity_ranges=tuple(
                (float(rarity[group].min()), float(rarity[group].max())) for group in groups
            ),
            order=np.concatenate(groups),
        )

    def rows(
        self, strata: npt.NDArray[np.int64], members: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """The row number of each member of each stratum.

        Args:
            strata: int64 of shape (n,).
            members: int64 of shape (n,), each below its stratum's size.

        Returns:
            int64 of shape (n,).
        """
        if self.order is None:
            return members
        starts = np.cumsum(self.sizes) - self.sizes
        rows: npt.NDArray[np.int64] = self.order[starts[strata] + members].astype(np.int64)
        return rows
