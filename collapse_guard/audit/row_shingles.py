"""Runs of five tokens of some rows, each once: what rows are compared by."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.words import word_rows
from collapse_guard.human_text.shingles import Hashes, shingle_hashes
from collapse_guard.human_text.token_rows import TokenRows
from collapse_guard.rows.column import Contents

Ids = npt.NDArray[np.int64]

SHINGLE = 5
"""Tokens per shingle: runs of five words are what Lee et al. (2022, ACL, "Deduplicating training
data makes language models better") compare documents by."""

HASH_BITS = 52
"""Of 64, so that a row's place among up to 4,096 stands above its hashes and one sort orders both.

Two different shingles are taken for one with a probability of 2^-52.
"""

_HASH = np.uint64((1 << HASH_BITS) - 1)
_ABOVE = np.uint64(HASH_BITS)
_TOKENS_AT_A_TIME = 1 << 16


class RowShingles(NamedTuple):
    """The shingles of some rows.

    Attributes:
        keys: uint64 of shape (shingles,), rising: the row's place times 2^52, and the hash. Each
            shingle once a row.
        sizes: int64 of shape (rows,), how many different shingles each row has.
    """

    keys: Hashes
    sizes: Ids

    @classmethod
    def of(cls, contents: Contents) -> "RowShingles":
        """The shingles of up to 4,096 rows.

        Tokens are token ids, or the words of `word_rows`. Rows of fewer than `SHINGLE` tokens have
        none. Long rows are worked through in slices.

        Example:
            >>> RowShingles.of(["a b c d e f", "a b c d", "a a a a a a a"]).sizes.tolist()
            [2, 0, 1]
        """
        rows = contents if isinstance(contents, TokenRows) else word_rows(contents)
        num_rows = len(rows.lengths)
        ends = np.cumsum(rows.lengths)
        parts = []
        for start in range(0, len(rows.ids) - SHINGLE + 1, _TOKENS_AT_A_TIME):
            hashes = shingle_hashes(
                rows.ids[start : start + _TOKENS_AT_A_TIME + SHINGLE - 1], SHINGLE
            )
            first = np.arange(start, start + len(hashes))
            owners = np.searchsorted(ends, first, side="right")
            within = first + SHINGLE <= ends[owners]
            parts.append(_keys(owners[within], hashes[within] >> np.uint64(64 - HASH_BITS)))
        keys = np.concatenate([np.zeros(0, np.uint64), *parts])
        keys.sort()
        keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])[: len(keys)]]
        return cls(keys, np.bincount((keys >> _ABOVE).astype(np.int64), minlength=num_rows))

    @property
    def hashes(self) -> Hashes:
        """uint64 of shape (shingles,), below 2^52."""
        return self.keys & _HASH

    @property
    def owners(self) -> Ids:
        """int64 of shape (shingles,), the row of each."""
        return (self.keys >> _ABOVE).astype(np.int64)

    def shared_with(self, other: "RowShingles", rows: Ids, others: Ids) -> Ids:
        """How many shingles two rows share.

        Args:
            other: The shingles of other rows.
            rows: int64 of shape (pairs,), places of rows here.
            others: int64 of shape (pairs,), places of rows there.

        Returns:
            int64 of shape (pairs,).

        Example:
            >>> ours = RowShingles.of(["a b c d e f g"])
            >>> theirs = RowShingles.of(["no", "B C D E F!"])
            >>> ours.shared_with(theirs, np.array([0, 0]), np.array([0, 1])).tolist()
            [0, 1]
        """
        sizes = other.sizes[others]
        pairs = np.repeat(np.arange(len(rows)), sizes)
        starts = np.cumsum(other.sizes) - other.sizes
        nth = np.arange(len(pairs)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        wanted = _keys(rows[pairs], other.keys[starts[others][pairs] + nth] & _HASH)
        place = np.minimum(np.searchsorted(self.keys, wanted), max(len(self.keys) - 1, 0))
        hit = self.keys[place] == wanted if len(self.keys) else np.zeros(len(wanted), dtype=bool)
        return np.bincount(pairs[hit], minlength=len(rows))


def _keys(rows: Ids, hashes: Hashes) -> Hashes:
    return (rows.astype(np.uint64) << _ABOVE) | hashes
