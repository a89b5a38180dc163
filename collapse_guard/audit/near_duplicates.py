"""Rows that hold nearly the same: candidates from MinHash, confirmed on the rows themselves."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.words import word_rows
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.human_text.shingles import Hashes, document_shingles
from collapse_guard.human_text.token_rows import TokenRows
from collapse_guard.rows.column import Contents
from collapse_guard.scrambling import scramble

Ids = npt.NDArray[np.int64]

SHINGLE = 5
"""Tokens per shingle: runs of five words are what Lee et al. (2022, ACL, "Deduplicating training
data makes language models better") compare documents by."""

_PERMUTATIONS = 128
_MISSED = 0.01
_SEED = 0
_MOST_PER_BAND = 16


class Bands(NamedTuple):
    """How a MinHash signature is cut: two rows are candidates if they agree in a whole band.

    Attributes:
        number: How many bands.
        width: Values of a band.
    """

    number: int
    width: int

    @classmethod
    def of(cls, threshold: float) -> "Bands":
        """The widest bands that miss a pair at the threshold with a probability of at most 1%.

        A pair of Jaccard similarity s agrees in a band with probability s^width, so that it is
        missed with (1 - s^width)^number (Leskovec, Rajaraman and Ullman, Mining of Massive
        Datasets, section 3.4). Wide bands have few false candidates; more similar pairs are
        missed less.

        Args:
            threshold: Jaccard similarity, from 0.5 to 1.

        Raises:
            ArgumentError: The threshold is out of range.

        Example:
            >>> Bands.of(0.8)
            Bands(number=21, width=6)
        """
        is_number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
        if not is_number or not 0.5 <= threshold <= 1.0:
            raise bad_argument(
                "near",
                expected="a Jaccard similarity from 0.5 to 1, or None",
                given=threshold,
                hint="0.8 is the default; None looks for identical rows only",
            )
        widths = range(_PERMUTATIONS, 0, -1)
        layouts = (cls(_PERMUTATIONS // width, width) for width in widths)
        return next(b for b in layouts if (1 - threshold**b.width) ** b.number <= _MISSED)


def row_shingles(contents: Contents) -> tuple[Hashes, Ids]:
    """Hashes of all shingles of some rows, and the row that each is from.

    Tokens are token ids, or the words of `word_rows`. Rows of fewer than `SHINGLE` tokens have no
    shingle.
    """
    rows = contents if isinstance(contents, TokenRows) else word_rows(contents)
    return document_shingles(rows.ids, rows.lengths, SHINGLE)


def band_keys(contents: Contents, bands: Bands) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """A key for each band of each row's MinHash signature.

    Args:
        contents: Some rows.
        bands: How to cut the signatures.

    Returns:
        uint64 of shape (rows, bands.number), equal where rows agree in the band; and bool of shape
        (rows,), which rows have a shingle at all. The keys of the others mean nothing.

    Raises:
        MissingExtraError: `rensa`, which makes the signatures, is not installed.
    """
    rensa = require("rensa", "audit")
    hashes, owners = row_shingles(contents)
    num_rows = len(contents.lengths) if isinstance(contents, TokenRows) else len(contents)
    counts = np.bincount(owners, minlength=num_rows)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        hashes, offsets, num_perm=_PERMUTATIONS, seed=_SEED
    )
    signatures = np.array(matrix.to_rows(), dtype=np.uint64).reshape(num_rows, _PERMUTATIONS)
    cut = signatures[:, : bands.number * bands.width].reshape(num_rows, *bands)
    keys = np.zeros((num_rows, bands.number), dtype=np.uint64)
    for place in range(bands.width):
        keys = scramble(keys + cut[:, :, place])
    return keys, counts > 0


def candidate_pairs(keys: Hashes, among: Hashes) -> tuple[Ids, Ids]:
    """Pairs of rows that agree in a whole band.

    A key that very many rows share would make very many pairs of much the same rows, so each row
    is paired with the first 16 that share a band with it, in each band.

    Args:
        keys: uint64 of shape (rows, bands).
        among: uint64 of shape (others, bands).

    Returns:
        The row and the other of each pair, int64 of shape (pairs,), sorted by row and other.

    Example:
        >>> keys, among = np.array([[1, 2], [3, 4]], np.uint64), np.array([[0, 4]], np.uint64)
        >>> [part.tolist() for part in candidate_pairs(keys, among)]
        [[1], [0]]
    """
    pairs = np.zeros(0, dtype=np.int64)
    for own, others in zip(keys.T, among.T, strict=True):
        order = np.argsort(others, kind="stable")
        ordered = others[order]
        low = np.searchsorted(ordered, own)
        counts = np.searchsorted(ordered, own, side="right") - low
        counts = np.minimum(counts, _MOST_PER_BAND)
        rows = np.repeat(np.arange(len(own)), counts)
        nth = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        pairs = np.union1d(pairs, rows * len(among) + order[low[rows] + nth])
    rows, others = np.divmod(pairs, max(len(among), 1))
    return rows, others


def jaccard_similarities(
    left: Contents, right: Contents, pairs: Sequence[tuple[int, int]]
) -> npt.NDArray[np.float64]:
    """Shared shingles over all shingles of two rows, counted and not estimated.

    Args:
        left: Some rows.
        right: Other rows.
        pairs: Which of the left and which of the right to compare.

    Returns:
        float64 of shape (pairs,), from 0 to 1; 0 where both have no shingle.

    Example:
        >>> others = ["a b c d e g", "A B, C D E F!"]
        >>> jaccard_similarities(["a b c d e f"], others, [(0, 0), (0, 1)])
        array([0.33333333, 1.        ])
    """
    ours, theirs = _shingle_sets(left), _shingle_sets(right)
    similarities = np.zeros(len(pairs))
    for number, (one, other) in enumerate(pairs):
        shared = len(np.intersect1d(ours[one], theirs[other], assume_unique=True))
        together = len(ours[one]) + len(theirs[other]) - shared
        similarities[number] = shared / max(together, 1)
    return similarities


def _shingle_sets(contents: Contents) -> list[Hashes]:
    hashes, owners = row_shingles(contents)
    num_rows = len(contents.lengths) if isinstance(contents, TokenRows) else len(contents)
    ends = np.cumsum(np.bincount(owners, minlength=num_rows))
    return [np.unique(part) for part in np.split(hashes, ends[:-1])] if num_rows else []
