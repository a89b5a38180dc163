"""The rows of one source, in groups of like rarity and quality."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import numpy as np
import numpy.typing as npt

from collapse_guard.mixing.strata.ranking import Ranking

_ROWS_AT_A_TIME = 1 << 20

Ranges = tuple[tuple[float, float] | None, ...]


@dataclass(frozen=True, eq=False)
class Strata:
    """Rows grouped from the commonest contents to the rarest, and within that by quality.

    Attributes:
        sizes: int64 of shape (num_strata,), rows of each stratum.
        rarity_ranges: Lowest and highest rarity of each stratum, None for one without rows; None
            where the rows were not ranked by rarity.
        order: int32 of shape (rows,), the row numbers, stratum by stratum; None for all rows in
            their own order. Four bytes a row: all that is kept.
        quality_ranges: As `rarity_ranges`, of quality.
        weights: Relative exposure of a row of each stratum, at least 0; None for equal exposure.
        num_levels: Strata of each group of rarity: one for each group of quality.
        boosts: Relative exposure of each group of rarity before quality counts, at least 1; None
            where rows were not ranked by rarity.
    """

    sizes: npt.NDArray[np.int64]
    rarity_ranges: Ranges | None = None
    order: npt.NDArray[np.int32] | None = None
    quality_ranges: Ranges | None = None
    weights: tuple[Fraction, ...] | None = None
    num_levels: int = 1
    boosts: tuple[Fraction, ...] | None = None

    @classmethod
    def unranked(cls, num_rows: int) -> Self:
        """All rows in one stratum."""
        return cls(np.array([num_rows], dtype=np.int64))

    @classmethod
    def ranked(
        cls,
        rarity: Ranking | None,
        quality: Ranking | None,
        *,
        boosts: Sequence[Fraction] | None = None,
    ) -> Self:
        """Strata of rows that are ranked by rarity, by quality or by both.

        Args:
            rarity: Of each row; None where it does not count.
            quality: Of each row; None where it does not count.
            boosts: Relative exposure of each group of rarity; None for 1.

        Example:
            >>> rarity = Ranking(np.float32([5, 1, 3, 1]), np.float32([3]))
            >>> strata = Strata.ranked(rarity, None)
            >>> strata.sizes.tolist(), strata.order.tolist(), strata.rarity_ranges
            ([2, 2], [1, 3, 0, 2], ((1.0, 1.0), (3.0, 5.0)))
        """
        rankings = [ranking for ranking in (rarity, quality) if ranking is not None]
        sizes, order = _grouped(rankings)
        members = np.split(order, np.cumsum(sizes)[:-1])
        num_levels = 1 if quality is None else quality.num_groups
        weights = [
            Fraction(1) if boosts is None else boosts[stratum // num_levels]
            for stratum in range(len(sizes))
        ]
        if quality is not None:
            for stratum, rows in enumerate(members):
                mean = quality.values[rows].mean(dtype=np.float64) if len(rows) else 0.0
                weights[stratum] *= Fraction(float(mean))
        return cls(
            sizes=sizes,
            rarity_ranges=None if rarity is None else _ranges(rarity.values, members),
            order=order,
            quality_ranges=None if quality is None else _ranges(quality.values, members),
            weights=tuple(weights),
            num_levels=num_levels,
            boosts=None if boosts is None else tuple(boosts),
        )

    @property
    def num_shown(self) -> int:
        """Rows that may be shown: all whose weight is above 0."""
        if self.weights is None:
            return int(self.sizes.sum())
        return int(self.sizes[[weight > 0 for weight in self.weights]].sum())

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


def _grouped(
    rankings: Sequence[Ranking],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """The size of each stratum, and the row numbers, stratum by stratum and rising in each."""
    num_strata = int(np.prod([ranking.num_groups for ranking in rankings]))
    sizes = np.zeros(num_strata, dtype=np.int64)
    for _, numbers in _numbered(rankings):
        sizes += np.bincount(numbers, minlength=num_strata)
    order = np.empty(sizes.sum(), dtype=np.int32)
    filled = np.cumsum(sizes) - sizes
    # The strata are found twice rather than kept: that halves the memory.
    for start, numbers in _numbered(rankings):
        rows = np.argsort(numbers, kind="stable") + start
        counts = np.bincount(numbers, minlength=num_strata)
        stop = 0
        for stratum in np.flatnonzero(counts):
            count = counts[stratum]
            order[filled[stratum] : filled[stratum] + count] = rows[stop : stop + count]
            stop, filled[stratum] = stop + count, filled[stratum] + count
    return sizes, order


def _numbered(rankings: Sequence[Ranking]) -> Iterator[tuple[int, npt.NDArray[np.uint16]]]:
    """The stratum of each row, some rows at a time, with the number of the first of them."""
    for start in range(0, len(rankings[0].values), _ROWS_AT_A_TIME):
        rows = slice(start, start + _ROWS_AT_A_TIME)
        numbers = np.zeros((), dtype=np.uint16)
        for ranking in rankings:
            # Sixteen bits, which numpy sorts by radix.
            numbers = numbers * np.uint16(ranking.num_groups) + ranking.groups(rows)
        yield start, numbers


def _ranges(values: npt.NDArray[np.float32], members: Sequence[npt.NDArray[np.int32]]) -> Ranges:
    return tuple(
        (float(values[rows].min()), float(values[rows].max())) if len(rows) else None
        for rows in members
    )
