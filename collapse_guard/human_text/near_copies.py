"""Documents that say nearly the same: found among many, in time that grows as their tokens do."""

import numpy as np
import numpy.typing as npt

from collapse_guard.human_text.shingles import Hashes, document_shingles

Ids = npt.NDArray[np.int64]

NEAR_SHARE = 0.5
"""Share of the runs of each of two documents beyond which they are near copies. Both have to share
so much: else a short document that is little more than a licence notice would join all those that
bear the notice."""

_EARLIER = 8


def near_copies(ids: Ids, lengths: Ids, shingle: int) -> tuple[Ids, Ids]:
    """Pairs of documents that share more than half of their distinct runs of tokens.

    Runs are compared by 64-bit hashes. A run that very many documents hold would make a pair of any
    two of them, so each is paired with the eight before it that hold the run. That finds every pair
    with no more than seven others in between that hold much of the same runs; a longer row of near
    copies is found as a chain.

    Args:
        ids: int64 of shape (tokens,), documents end to end.
        lengths: int64 of shape (documents,), their tokens.
        shingle: Tokens per run, at least 1. Shorter documents have none and are like no other.

    Returns:
        The earlier document and the later one of each pair, int64 of shape (pairs,), sorted by the
        earlier one.

    Example:
        >>> text = np.arange(100)
        >>> ids = np.concatenate([text, text + 500, text[:80], text[:40]])
        >>> near_copies(ids, np.array([100, 100, 80, 40]), 8)
        (array([0]), array([2]))
    """
    hashes, owners, num_runs = _repeated_runs(ids, lengths, shingle)
    pairs, shared = np.zeros((2, 0), np.int64)
    for back in range(1, _EARLIER + 1):
        same = hashes[back:] == hashes[:-back]
        both = owners[:-back][same] * len(lengths) + owners[back:][same]
        found, counts = np.unique(both, return_counts=True)
        pairs, shared = np.concatenate([pairs, found]), np.concatenate([shared, counts])
    pairs, places = np.unique(pairs, return_inverse=True)
    earlier, later = np.divmod(pairs, max(len(lengths), 1))
    totals = np.bincount(places, weights=shared, minlength=len(pairs))
    near = totals > NEAR_SHARE * np.maximum(num_runs[earlier], num_runs[later])
    return earlier[near], later[near]


def _repeated_runs(ids: Ids, lengths: Ids, shingle: int) -> tuple[Hashes, Ids, Ids]:
    """The runs that occur more than once, sorted, by document; and how many runs documents have."""
    hashes, owners = document_shingles(ids, lengths, shingle)
    num_runs = np.bincount(owners, minlength=len(lengths))
    ordered = np.sort(hashes)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(repeated):
        # Nearly all runs of a text occur once, and need no more than this look.
        place = np.searchsorted(repeated, hashes)
        place[place == len(repeated)] = 0
        again = np.flatnonzero(repeated[place] == hashes)
        # Stable, so that a document's own repeats of a run stand side by side.
        again = again[np.argsort(hashes[again], kind="stable")]
    else:
        again = np.zeros(0, np.int64)
    hashes, owners = hashes[again], owners[again]
    own = np.zeros(len(hashes), dtype=bool)
    own[1:] = (hashes[1:] == hashes[:-1]) & (owners[1:] == owners[:-1])
    num_runs -= np.bincount(owners[own], minlength=len(lengths))
    return hashes[~own], owners[~own], num_runs


def join(units: Ids, left: Ids, right: Ids) -> Ids:
    """Make one unit of each two that are named in a pair, and so of all that pairs connect.

    Args:
        units: int64 of shape (documents,), the unit of each, from 0.
        left: int64 of shape (pairs,), documents.
        right: As `left`.

    Returns:
        int64 of shape (documents,), from 0, numbered in the order in which units first come.

    Example:
        >>> join(np.array([0, 1, 2, 3]), np.array([1, 2]), np.array([3, 3])).tolist()
        [0, 1, 1, 1]
    """
    parent = np.arange(int(units.max(initial=-1)) + 1)

    def root(unit: int) -> int:
        while parent[unit] != unit:
            parent[unit] = unit = parent[parent[unit]]
        return unit

    for one, other in zip(units[left], units[right], strict=True):
        parent[root(one)] = root(other)
    roots = np.array([root(unit) for unit in units], np.int64)
    _, first, places = np.unique(roots, return_index=True, return_inverse=True)
    numbers: Ids = np.argsort(np.argsort(first))[places]
    return numbers
