"""Which n-gram occurs in which document, and how often: a sparse table of both."""

from typing import NamedTuple

import numpy as np

from collapse_guard.diversity.corpus import Ints
from collapse_guard.diversity.ngrams import Ngrams, renumber, run_lengths, run_starts, sort


class Occurrences(NamedTuple):
    """The cells of the table that are not 0, ordered by n-gram and then by document.

    Attributes:
        types: int64 of shape (cells,), number of the n-gram among the distinct ones, from 0.
        documents: int64 of shape (cells,).
        counts: int64 of shape (cells,), at least 1.
        starts: int64 of shape (types,), first cell of each n-gram.
    """

    types: Ints
    documents: Ints
    counts: Ints
    starts: Ints

    @property
    def document_counts(self) -> Ints:
        """int64 of shape (types,): in how many documents each n-gram occurs."""
        return run_lengths(self.starts, len(self.types))


def find_occurrences(ngrams: Ngrams) -> Occurrences:
    """Count each n-gram in each document, with one sort.

    Example:
        >>> found = find_occurrences(Ngrams(np.array([5, 5, 9, 5]), 10, np.array([0, 0, 0, 1]), 2))
        >>> found.types.tolist(), found.documents.tolist(), found.counts.tolist()
        ([0, 0, 1], [0, 1, 0], [2, 1, 1])
    """
    codes, bound, owners, documents = ngrams
    if bound * documents > np.iinfo(np.int64).max:
        codes, bound = renumber(codes, bound)
    cells, _ = sort(codes * documents + owners, bound * documents)
    first = run_starts(cells)
    ordered, found_in = np.divmod(cells[first], max(documents, 1))
    starts = run_starts(ordered)
    types = np.repeat(np.arange(len(starts)), run_lengths(starts, len(ordered)))
    return Occurrences(types, found_in, run_lengths(first, len(cells)), starts)
