"""Which rare n-grams of human text a model still writes."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import amount
from collapse_guard.diversity.abundance import absence
from collapse_guard.diversity.corpus import Corpus, Document, Ints, pack
from collapse_guard.diversity.ngrams import (
    Ngrams,
    distinct_codes,
    find_common_ngrams,
    run_starts,
    sort,
)
from collapse_guard.errors import bad_argument

_HASH_BITS = 22
_SHIFT = np.uint64(64 - _HASH_BITS)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def rare_ngram_survival(
    samples: Iterable[Document],
    human: Iterable[Document],
    reference: Iterable[Document],
    *,
    n: int,
    max_count: int,
    budget: int,
) -> float:
    """Share of the reference's rare n-grams in sampled text, relative to as much human text.

    Of the distinct n-grams that occur 1 to `max_count` times in the reference, the share that
    `budget` tokens of samples hold, over the share that `budget` tokens of other human text hold.
    1.0 = as many as a human writes, 0.5 = half of them are lost. With `n = 1` it is the survival of
    rare tokens.

    Both shares are expectations over all draws of whole documents, without replacement, that hold
    `budget` tokens on average: sample-based rarefaction (Colwell et al. 2012, Journal of Plant
    Ecology 5(1)). Documents are drawn rather than tokens because rare n-grams bunch up
    in few of them. No resample is drawn, so the figure has no noise of its own, and it is
    size-free: more samples or more human text make it more precise and move it nowhere.

    Args:
        samples: Token ids that the model wrote, a document at a time.
        human: Human text of the same kind, held out of the reference: text of the reference itself
            holds its rare n-grams by definition, and would make any model look poor.
        reference: The human text that says which n-grams are rare; all of it is used.
        n: Length of the n-grams in tokens, at least 1.
        max_count: Largest count in the reference of an n-gram that is called rare, at least 1.
        budget: Tokens, at most as many as the samples or the human text have.

    Returns:
        From 0, usually at most about 1.

    Raises:
        ArgumentError: An argument out of range, too few tokens for the budget, a reference without
            rare n-grams, or human text with none of them.

    Example:
        >>> reference = [[1, 2, 3, 4], [1, 2, 5, 6]]
        >>> human = [[1, 2, 3, 9], [0, 5, 6, 0]]
        >>> rare_ngram_survival(human[:1], human, reference, n=2, max_count=1, budget=4)
        1.0
        >>> rare_ngram_survival([[1, 2, 1, 2]], human, reference, n=2, max_count=1, budget=4)
        0.0
    """
    n = amount("n", n, least=1, hint="2 is usual")
    max_count = amount("max_count", max_count, least=1, hint="5 is usual")
    budget = amount("budget", budget, least=1, hint="give what both texts have")
    given = {"samples": samples, "human": human, "reference": reference}
    parts = [pack(part, argument) for argument, part in given.items()]
    _check_budget(budget, samples=parts[0], human=parts[1])
    of_samples, of_human, of_reference = find_common_ngrams(parts, n)
    types, counts = distinct_codes(of_reference.codes, of_reference.bound)
    rare = types[counts <= max_count]
    if len(rare) == 0:
        raise bad_argument(
            "reference",
            expected=f"n-grams that occur at most max_count = {max_count} times",
            given="none",
            hint="give more human text, or raise max_count",
        )
    human_share = _expected_share(rare, of_human, budget / len(parts[1].tokens))
    if human_share == 0:
        raise bad_argument(
            "human",
            expected="text with at least one rare n-gram of the reference",
            given="none",
            hint="give more of it, or raise max_count, or lower n",
        )
    return _expected_share(rare, of_samples, budget / len(parts[0].tokens)) / human_share


def _check_budget(budget: int, **corpora: Corpus) -> None:
    for name, corpus in corpora.items():
        if not 1 <= budget <= len(corpus.tokens):
            raise bad_argument(
                "budget",
                expected=f"from 1 to {len(corpus.tokens)}, the number of tokens in `{name}`",
                given=budget,
                hint="give more text, or lower the budget of everything that you compare",
            )


def _expected_share(rare: Ints, ngrams: Ngrams, drawn: float) -> float:
    """Expected share of the rare n-grams in a random part of the documents."""
    total = ngrams.num_documents
    places, documents = _find(rare, ngrams)
    cells = places * total + documents
    document_counts = np.bincount(places[run_starts(cells)], minlength=len(rare))
    return float(1.0 - absence(document_counts, total, drawn * total).mean())


def _find(rare: Ints, ngrams: Ngrams) -> tuple[Ints, Ints]:
    """Places in a sorted array of those codes that it has, and their documents, both in order."""
    # A table of hashes lets most of the others drop out before the costlier search.
    seen = np.zeros(1 << _HASH_BITS, dtype=bool)
    seen[_hashes(rare)] = True
    maybe = np.flatnonzero(seen[_hashes(ngrams.codes)])
    # In rising order, each search begins in the cache where the last one ended.
    codes, order = sort(ngrams.codes[maybe], ngrams.bound)
    places = np.minimum(np.searchsorted(rare, codes), len(rare) - 1)
    found = rare[places] == codes
    return places[found], ngrams.documents[maybe[order]][found]


def _hashes(codes: Ints) -> npt.NDArray[np.uint64]:
    """The highest bits of a multiple of each code (Knuth, volume 3, section 6.4)."""
    hashed: npt.NDArray[np.uint64] = codes.view(np.uint64) * _MULTIPLIER >> _SHIFT
    return hashed
