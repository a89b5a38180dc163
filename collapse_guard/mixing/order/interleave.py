"""Spreads the draws of several strata over an order as evenly as whole numbers allow."""

import numpy as np
import numpy.typing as npt

Patterns = int | npt.NDArray[np.int64]


class Interleave:
    """Orders of sum(shares) draws in which stratum s comes shares[s] times, evenly spread.

    A balanced binary tree over the strata. At a node with T draws, R of them for its right half,
    draw k goes right where floor((k + 1) R / T) > floor(k R / T): the rule by which human
    slots are spread over a stage. A window of n draws therefore holds n shares[s] / T of stratum s
    to within one draw per level of the tree, and the counts over the whole order are exact; so
    windows that reach from the end of one such order into the beginning of the next hold as much.

    Args:
        shares: Draws of each stratum, at least 0; their sum below 2**31. Several lists of equal
            length make several orders, the *patterns*.

    Example:
        >>> order = Interleave([2, 2, 4])
        >>> order.locate(np.arange(8))[0].tolist()
        [0, 2, 1, 2, 0, 2, 1, 2]
    """

    def __init__(self, shares: npt.ArrayLike) -> None:
        patterns = np.atleast_2d(np.asarray(shares, dtype=np.int64))
        self._num_strata = patterns.shape[1]
        self._depth = int(self._num_strata - 1).bit_length()
        leaves = 1 << self._depth
        # A heap: node i has children 2i and 2i + 1; the strata are the last `leaves` nodes.
        self._totals = np.zeros((len(patterns), 2 * leaves), dtype=np.int64)
        self._totals[:, leaves : leaves + self._num_strata] = patterns
        for node in range(leaves - 1, 0, -1):
            self._totals[:, node] = self._totals[:, 2 * node] + self._totals[:, 2 * node + 1]

    def locate(
        self, draws: npt.NDArray[np.int64], patterns: Patterns = 0
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The stratum of each draw, and how many draws of that stratum come before it.

        Args:
            draws: int64 of shape (n,), at least 0 and below the number of draws.
            patterns: Which order each draw belongs to: int64 of shape (n,), or one for all.

        Returns:
            Two int64 arrays of shape (n,).
        """
        nodes, turns = np.ones_like(draws), draws
        for _ in range(self._depth):
            whole, right = self._totals[patterns, nodes], self._totals[patterns, 2 * nodes + 1]
            right_before = turns * right // whole
            goes_right = (turns + 1) * right // whole > right_before
            turns = np.where(goes_right, right_before, turns - right_before)
            nodes = 2 * nodes + goes_right
        return nodes - (1 << self._depth), turns

    def turns_before(
        self, draws: npt.NDArray[np.int64], stratum: int, patterns: Patterns = 0
    ) -> npt.NDArray[np.int64]:
        """How many of the draws before each one are of one stratum.

        Args:
            draws: int64 of shape (n,), at least 0 and at most the number of draws.
            stratum: Its number.
            patterns: Which order each draw belongs to: int64 of shape (n,), or one for all.

        Returns:
            int64 of shape (n,).
        """
        turns = draws
        leaf = (1 << self._depth) + stratum
        for level in range(self._depth, 0, -1):
            parent, turns_right = leaf >> level, (leaf >> (level - 1)) & 1
            # An empty node holds no draws to split: any divisor but 0 will do.
            whole = np.maximum(self._totals[patterns, parent], 1)
            right = turns * self._totals[patterns, 2 * parent + 1] // whole
            turns = right if turns_right else turns - right
        return turns

    def counts_before(self, draw: int, pattern: int = 0) -> npt.NDArray[np.int64]:
        """How many of the first `draw` draws each stratum has: int64 of shape (num_strata,)."""
        nodes, counts = np.ones(1, dtype=np.int64), np.array([draw], dtype=np.int64)
        for _ in range(self._depth):
            whole = np.maximum(self._totals[pattern, nodes], 1)
            right = counts * self._totals[pattern, 2 * nodes + 1] // whole
            counts = np.stack([counts - right, right], axis=1).ravel()
            nodes = np.stack([2 * nodes, 2 * nodes + 1], axis=1).ravel()
        return counts[: self._num_strata]
