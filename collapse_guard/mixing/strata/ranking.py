"""A number for each row of a source, cut into groups of like value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import as_array
from collapse_guard.errors import bad_argument

_QUALITY_LEVELS = 10


@dataclass(frozen=True, eq=False)
class Ranking:
    """A number for each row, and where these numbers are cut into groups.

    Attributes:
        values: float32 of shape (rows,).
        cuts: float32 of shape (groups - 1,), rising: group g begins at cuts[g - 1]. At most 100.
    """

    values: npt.NDArray[np.float32]
    cuts: npt.NDArray[np.float32]

    @property
    def num_groups(self) -> int:
        """Groups, with or without a row."""
        return len(self.cuts) + 1

    def groups(self, rows: slice) -> npt.NDArray[np.uint16]:
        """The group of each of some rows."""
        values = self.values[rows]
        # Comparing with every cut in turn is many times as fast as searching for the right one.
        groups = np.zeros(len(values), dtype=np.uint8)
        for cut in self.cuts:
            groups += values >= cut
        return groups.astype(np.uint16)


def quantile_cuts(
    values: Sequence[npt.NDArray[np.float32]], num_groups: int
) -> npt.NDArray[np.float32]:
    """Where to cut rows into groups of like value and like size.

    Rows of equal value always share a group. No more values than groups are a group each. Where
    more rows tie than a group is meant to have, they are a group of their own, and the other rows
    are cut into the groups that are left, so that no mass of ties takes all others into its group.

    Args:
        values: float32 of shape (rows,) of each source; they are cut as one.
        num_groups: From 2 to 100.

    Returns:
        float32 of shape (groups - 1,), as in `Ranking`; empty only where all values are equal.

    Example:
        >>> quantile_cuts([np.float32([5, 1, 3, 1])], 2).tolist()
        [3.0]
        >>> quantile_cuts([np.float32([0] * 97 + [1, 2, 3])], 4).tolist()
        [1.0, 2.0, 3.0]
    """
    pooled = values[0] if len(values) == 1 else np.concatenate(values)
    ranks = np.arange(1, num_groups) * len(pooled) // num_groups
    cuts = np.unique(np.partition(pooled, ranks)[ranks])
    # A cut at the lowest value would open an empty group.
    if len(cuts) == num_groups - 1 and cuts[0] > pooled.min():
        return cuts
    return _cuts_between_ties(pooled, num_groups)


def _cuts_between_ties(values: npt.NDArray[np.float32], num_groups: int) -> npt.NDArray[np.float32]:
    """Cuts where so many rows tie that cutting at quantiles would lose groups."""
    kinds, counts = np.unique(values, return_counts=True)
    if len(kinds) <= num_groups:
        return kinds[1:]
    starts = np.cumsum(counts) - counts
    first, firsts = 0, []
    for groups_left in range(num_groups, 1, -1):
        start = int(starts[first])
        # What is left is cut anew each time, since a group of ties takes more than its part.
        stop = start + (len(values) - start) // groups_left
        first = max(first + 1, int(np.searchsorted(starts, stop, side="right")) - 1)
        if first == len(kinds):
            break
        firsts.append(first)
    return kinds[firsts]


def rank_by_quality(name: str, quality: Any, num_rows: int) -> Ranking:
    """Ten groups of like quality, cut at quantiles, and one of the rows of quality 0 if any.

    Args:
        name: Of the source, for errors.
        quality: One number for each row, at least 0 and not all 0.
        num_rows: Rows of the source.

    Raises:
        ArgumentError: It is something else.

    Example:
        >>> rank_by_quality("wiki", [0.5, 0.0, 1.0, 1.0], 4).cuts.tolist()
        [0.5, 1.0]
    """
    wanted = {
        "expected": f"one number of at least 0 for each of the {num_rows} rows of `{name}`, not "
        "all of them 0",
        "hint": "1 for rows to show as usual, 0.5 for half as often, 0 for never",
    }
    values = as_array("quality", quality, dtype=np.float32, **wanted)
    # Not a number is not below itself either: written so that it fails.
    if values.shape != (num_rows,) or not (values.min() >= 0 and 0 < values.max() < np.inf):
        raise bad_argument("quality", given=quality, **wanted)
    positive = values[values > 0]
    cuts = quantile_cuts([positive], _QUALITY_LEVELS)
    if len(positive) < num_rows:
        cuts = np.concatenate([[positive.min()], cuts])
    return Ranking(values, cuts)
