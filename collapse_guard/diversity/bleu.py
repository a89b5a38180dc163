"""Self-BLEU: how much of each text stands in the others."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import number
from collapse_guard.diversity.corpus import Document, Ints, pack_texts
from collapse_guard.diversity.ngrams import Ngrams, find_ngrams
from collapse_guard.diversity.occurrences import find_occurrences

Floats = npt.NDArray[np.float64]

ORDER = 4
"""Longest n-grams that are compared, as in BLEU-4."""


def self_bleu(documents: Iterable[Document], *, num_texts: int, smoothing: float = 0.1) -> float:
    """Mean BLEU-4 of each of the first `num_texts` texts against all others among them.

    Zhu et al. 2018 (arXiv 1802.01886). BLEU (Papineni et al. 2002) has uniform
    weights over n-grams of 1 to 4 tokens, counts clipped at the largest count in one reference, the
    brevity penalty of the reference closest in length (the shorter of two as close), and smoothing
    method 1 of Chen and Cherry 2014: `smoothing` takes the place of a count of 0 matches. Equal to
    `sentence_bleu` of nltk with `SmoothingFunction(smoothing).method1`.

    The figure rises with the number of references, which is `num_texts - 1`, and with the length of
    the texts: compare at one of each.

    Args:
        documents: Token ids, a text at a time, none of them empty.
        num_texts: Texts to look at, the first ones, at least 2.
        smoothing: Matches to count where there are none, above 0.

    Returns:
        From 0 (no token shared) to 1 (all texts equal, and at least 4 tokens long). Higher is less
        diverse.

    Raises:
        ArgumentError: Fewer texts than asked for, an empty text, a negative token id, or a
            smoothing of 0 or less.

    Example:
        >>> texts = [[1, 2, 3, 4, 5], [1, 2, 3, 4, 6], [7, 8, 9, 3, 4]]
        >>> round(self_bleu(texts, num_texts=3), 4)
        0.4837
    """
    return float(self_bleu_scores(documents, num_texts=num_texts, smoothing=smoothing).mean())


def self_bleu_scores(
    documents: Iterable[Document], *, num_texts: int, smoothing: float = 0.1
) -> Floats:
    """BLEU-4 of each of the texts whose mean is `self_bleu`: float64 of shape (num_texts,)."""
    smoothing = number(
        "smoothing",
        smoothing,
        above=0,
        hint="0.1 is what nltk takes; without any, one missing 4-gram reads 0",
    )
    corpus = pack_texts(documents, num_texts)
    num_texts = len(corpus.lengths)
    precisions = np.empty((ORDER, num_texts))
    shares_a_token = np.zeros(num_texts, dtype=bool)
    for n in range(1, ORDER + 1):
        matches = _clipped_matches(find_ngrams(corpus, n))
        if n == 1:
            shares_a_token = matches > 0
        candidates = np.maximum(corpus.lengths - n + 1, 1)
        precisions[n - 1] = np.where(matches > 0, matches, smoothing) / candidates
    scores = _brevity_penalties(corpus.lengths) * np.exp(np.log(precisions).mean(0))
    return np.where(shares_a_token, scores, 0.0)


def _clipped_matches(ngrams: Ngrams) -> Floats:
    """N-grams of each text that a single other text could give, with their multiplicity.

    An n-gram is clipped at its largest count in one other text. Over all texts, that is the largest
    count of all for everyone but the text that has it, for which it is the second largest: two
    maxima per n-gram say everything, whatever the number of texts.
    """
    types, documents, counts, starts = find_occurrences(ngrams)
    if len(types) == 0:
        return np.zeros(ngrams.num_documents)
    largest = np.maximum.reduceat(counts, starts)
    cells_with_it = np.flatnonzero(counts == largest[types])
    # The first of equal ones is the one to leave out; the next then is the second largest.
    holders = cells_with_it[np.unique(types[cells_with_it], return_index=True)[1]]
    others = counts.copy()
    others[holders] = 0
    limits = largest[types]
    limits[holders] = np.maximum.reduceat(others, starts)
    clipped = np.minimum(counts, limits)
    matches: Floats = np.bincount(
        documents, weights=clipped, minlength=ngrams.num_documents
    ).astype(np.float64, copy=False)
    return matches


def _brevity_penalties(lengths: Ints) -> Floats:
    """exp(1 - r / length), at most 1, where r is the length of the closest other text."""
    order = np.argsort(lengths, kind="stable")
    ordered = lengths[order].astype(np.float64)
    shorter = np.concatenate([[-np.inf], ordered[:-1]])
    longer = np.concatenate([ordered[1:], [np.inf]])
    # On a tie the shorter one counts, which asks for no penalty.
    closest = np.where(ordered - shorter <= longer - ordered, shorter, longer)
    penalties = np.empty(len(lengths))
    penalties[order] = np.exp(np.minimum(1.0 - closest / ordered, 0.0))
    return penalties
