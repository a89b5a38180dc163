"""N-grams as whole numbers: equal for equal n-grams, and for no others.

A code is the n-gram read as an n-digit number whose base exceeds every token id. Such numerals are
unique, so there is nothing to collide. Where the next digit would not fit into 63 bits, the codes
so far are first renumbered in order: a bijection on those that occur, after which they are no more
than the tokens. One more digit then fits for any text of less than 2^31 tokens, because the base is
renumbered too and no more than the tokens either.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.diversity.corpus import Corpus, Ints
from collapse_guard.errors import bad_argument

_LARGEST = int(np.iinfo(np.int64).max)
_LARGEST_SHORT = int(np.iinfo(np.int32).max)
# Up to this many cells per n-gram, counting in a table beats sorting.
_TABLE_CELLS = 4


class Ngrams(NamedTuple):
    """Every n-gram of a corpus that lies within one document.

    Attributes:
        codes: int64 of shape (n-grams,) in the order of the text, each at least 0.
        bound: Every code is below it.
        documents: int64 of shape (n-grams,), number of the document that each is from.
        num_documents: Number of documents, those too short for an n-gram included.
    """

    codes: Ints
    bound: int
    documents: Ints
    num_documents: int


def find_ngrams(corpus: Corpus, n: int) -> Ngrams:
    """Number the n-grams of a corpus; they do not run from one document into the next.

    Codes of two calls do not compare: `find_common_ngrams` is for that.

    Args:
        corpus: The documents.
        n: Length of the n-grams in tokens, at least 1.

    Raises:
        ArgumentError: `n` is below 1.

    Example:
        >>> corpus = Corpus(np.array([7, 8, 7, 8, 7]), np.array([4, 1]))
        >>> ngrams = find_ngrams(corpus, 2)
        >>> ngrams.codes.tolist(), ngrams.documents.tolist()
        ([71, 79, 71], [0, 0, 0])
    """
    if n < 1:
        raise bad_argument("n", expected="at least 1", given=n, hint="2 is usual")
    tokens = corpus.tokens
    base = int(tokens.max(initial=0)) + 1
    if not _fits(base, n, _LARGEST) or (
        not _fits(base, n, _LARGEST_SHORT) and _fits_a_table(base, tokens)
    ):
        tokens, base = renumber(tokens, base)
    return _number(Corpus(tokens, corpus.lengths), n, base)


def find_common_ngrams(corpora: Sequence[Corpus], n: int) -> list[Ngrams]:
    """Number the n-grams of several corpora, so that codes compare between them.

    Example:
        >>> one = Corpus(np.array([7, 8]), np.array([2]))
        >>> other = Corpus(np.array([8]), np.array([1]))
        >>> [ngrams.codes.tolist() for ngrams in find_common_ngrams([one, other], 1)]
        [[7, 8], [8]]
    """
    base = max(int(corpus.tokens.max(initial=0)) for corpus in corpora) + 1
    if _fits(base, n, _LARGEST):
        return [_number(corpus, n, base) for corpus in corpora]
    together = find_ngrams(Corpus(*map(np.concatenate, zip(*corpora, strict=True))), n)
    sizes = [len(corpus.lengths) for corpus in corpora]
    ends = np.cumsum(sizes)
    places = np.searchsorted(together.documents, ends[:-1])
    codes, owners = np.split(together.codes, places), np.split(together.documents, places)
    return [
        Ngrams(codes[part], together.bound, owners[part] - (ends[part] - size), size)
        for part, size in enumerate(sizes)
    ]


def count_ngrams(ngrams: Ngrams) -> Ints:
    """How often each distinct n-gram occurs: int64 of shape (types,), in the order of the codes."""
    return distinct_codes(ngrams.codes, ngrams.bound)[1]


def distinct_codes(codes: Ints, bound: int) -> tuple[Ints, Ints]:
    """The distinct codes in rising order, and how often each occurs."""
    if _fits_a_table(bound, codes):
        table = np.bincount(codes, minlength=1)
        types = np.flatnonzero(table)
        return types, table[types]
    ordered, _ = sort(codes, bound)
    starts = run_starts(ordered)
    return ordered[starts], run_lengths(starts, len(ordered))


def sort(codes: Ints, bound: int) -> tuple[Ints, Ints]:
    """The codes in rising order, and where each was; equal ones stay in their order.

    With PyTorch, whose sort takes half of numpy's time, and a third if 32 bits hold the codes.
    """
    width = np.int32 if bound <= _LARGEST_SHORT else np.int64
    ordered, order = torch.from_numpy(codes.astype(width, copy=False)).sort(stable=True)
    return ordered.numpy().astype(np.int64, copy=False), order.numpy()


def renumber(codes: Ints, bound: int) -> tuple[Ints, int]:
    """The codes with their ranks among the distinct ones in their place, and the new bound."""
    if _fits_a_table(bound, codes):
        present = np.zeros(bound, dtype=np.int64)
        present[codes] = 1
        ranks = np.cumsum(present) - 1
        return ranks[codes], int(ranks[-1]) + 1
    ordered, order = sort(codes, bound)
    starts = run_starts(ordered)
    ranked = np.empty(len(codes), dtype=np.int64)
    ranked[order] = np.repeat(np.arange(len(starts)), run_lengths(starts, len(codes)))
    return ranked, len(starts)


def run_starts(ordered: Ints) -> Ints:
    """Where the runs of equal values begin in a sorted array."""
    new = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return np.flatnonzero(new)


def run_lengths(starts: Ints, total: int) -> Ints:
    """Lengths of the runs that begin at `starts` and together have `total` members."""
    return np.diff(starts, append=total)


def _fits(base: int, n: int, most: int) -> bool:
    """Whether `base**n` is at most that, without the power of a large `n`."""
    return base == 1 or (n < 64 and base**n <= most)


def _fits_a_table(bound: int, codes: Ints) -> bool:
    return bound <= _TABLE_CELLS * len(codes)


def _number(corpus: Corpus, n: int, base: int) -> Ngrams:
    """The n-grams as numerals to a base above every token."""
    tokens, lengths = corpus
    owners = np.repeat(np.arange(len(lengths)), np.maximum(lengths - n + 1, 0))
    if len(owners) == 0:
        return Ngrams(np.empty(0, dtype=np.int64), 1, owners, len(lengths))
    codes, bound = tokens, base
    for offset in range(1, n):
        if bound * base > _LARGEST:
            codes, bound = renumber(codes, bound)
        codes = codes[:-1] * base + tokens[offset:]
        bound *= base
    if n > 1 and len(lengths) > 1:
        codes = codes[_within_documents(lengths, len(codes), n)]
    return Ngrams(codes, bound, owners, len(lengths))


def _within_documents(lengths: Ints, count: int, n: int) -> npt.NDArray[np.bool_]:
    """Which of the first `count` starts have no end of a document inside their n-gram."""
    within = np.ones(count, dtype=bool)
    ends = np.cumsum(lengths)[:-1]
    for before in range(1, n):
        crossing = ends - before
        within[crossing[(crossing >= 0) & (crossing < count)]] = False
    return within
