"""Repetition: within a text, between texts, and as a compressor sees it."""

import gzip
from collections.abc import Iterable

import numpy as np

from collapse_guard.arguments import amount, listed, understood
from collapse_guard.diversity.corpus import (
    Corpus,
    Document,
    pack,
    pack_prefixes,
    pack_texts,
)
from collapse_guard.diversity.ngrams import find_ngrams
from collapse_guard.diversity.occurrences import find_occurrences
from collapse_guard.diversity.padding import tell_of_padding
from collapse_guard.errors import bad_argument

_BETWEEN_DOCUMENTS = (1 << 32) - 1


def rep_n_diversity(documents: Iterable[Document], *, length: int) -> float:
    """Product over n = 2, 3, 4 of 1 - rep-n, the share of n-grams that are new in their own text.

    rep-n = 1 - (distinct n-grams) / (n-grams), with both summed over texts and n-grams told apart
    within a text only: Su et al. 2022 (arXiv 2202.06417). It finds loops; texts that
    repeat each other do not move it. It falls with the length of a text, so all are cut to one
    `length`; of their number it is size-free.

    Args:
        documents: Token ids, a text at a time, each of at least `length` tokens.
        length: Tokens to look at in each text, the first ones, at least 4.

    Returns:
        Above 0; 1 where no text repeats a bigram.

    Raises:
        ArgumentError: A length below 4, a text shorter than it, or a negative token id.

    Example:
        >>> rep_n_diversity([[1, 2, 1, 2, 1], [1, 2, 3, 4, 5]], length=5)
        0.625
    """
    length = amount("length", length, least=4, hint="100 is usual")
    cut = pack_prefixes(documents, length)
    diversity = 1.0
    for n in (2, 3, 4):
        ngrams = find_ngrams(cut, n)
        diversity *= len(find_occurrences(ngrams).types) / len(ngrams.codes)
    return diversity


def self_repetition(documents: Iterable[Document], *, num_texts: int, n: int = 4) -> float:
    """Mean over texts of log(1 + N), N the other texts that each of its distinct n-grams is in.

    Salkar et al. 2022 (AACL, Self-Repetition in Abstractive Neural Summarizers), in the form of
    Shaib et al. 2024 (arXiv 2403.00553), with the 1 added once per text, so that texts that share
    nothing read 0. It finds stock phrases, which texts of any length may share. Grows with the
    number of texts and with their length: compare at one of each.

    Args:
        documents: Token ids, a text at a time, none of them empty.
        num_texts: Texts to look at, the first ones, at least 2.
        n: Length of the n-grams in tokens, at least 1.

    Returns:
        From 0; log(1 + d (num_texts - 1)) where all texts are equal, with d distinct n-grams each.

    Raises:
        ArgumentError: Fewer texts than asked for, an empty text, or a negative token id.

    Example:
        >>> round(self_repetition([[1, 2, 3, 4, 5], [0, 1, 2, 3, 4], [6, 7]], num_texts=3), 4)
        0.4621
    """
    n = amount("n", n, least=1, hint="4 is usual")
    texts = pack_texts(documents, num_texts)
    found = find_occurrences(find_ngrams(texts, n))
    elsewhere = found.document_counts[found.types] - 1
    per_text = np.bincount(found.documents, weights=elsewhere, minlength=len(texts.lengths))
    return float(np.log1p(per_text).mean())


def compression_ratio(documents: Iterable[str] | Iterable[Document], *, budget: int) -> float:
    """Bytes over compressed bytes, of the first `budget` bytes: one gzip run at level 9.

    Shaib et al. 2024 (arXiv 2403.00553). Strings are joined by line feeds and encoded as
    UTF-8; token ids are written as 4 bytes each, lowest first, with 2^32 - 1 between documents. The
    two do not compare with each other, nor with another budget: the ratio grows with it. Gzip
    looks back 32,768 bytes, so repetitions further apart go unseen.

    Args:
        documents: Strings, or token ids, a document at a time.
        budget: Bytes to compress, the first ones, at least 1.

    Returns:
        Above 0, and up to about 1,000 where everything is equal. Higher is less diverse. Below 100
        bytes the 20 or so of gzip's own frame weigh in.

    Raises:
        ArgumentError: Fewer bytes than the budget, or a negative token id.

    Example:
        >>> compression_ratio(["again and " * 40], budget=400) > 10
        True
    """
    budget = amount("budget", budget, least=1, hint="100,000 is usual")
    wanted = {"expected": "texts or token ids", "hint": "give a list, a document at a time"}
    with understood("documents", documents, **wanted):
        tell_of_padding("documents", documents)
        given = (
            [documents] if isinstance(documents, str) else listed("documents", documents, **wanted)
        )
    texts = [text for text in given if isinstance(text, str)]
    if 0 < len(texts) < len(given):
        raise bad_argument(
            "documents",
            expected="either strings or token ids",
            given=f"{len(texts)} strings among {len(given)} documents",
            hint="decode all of them or none",
        )
    # A lone surrogate, which no file holds, is as good a byte as another.
    data = "\n".join(texts).encode("utf-8", "surrogatepass") if texts else _serialise(pack(given))  # type: ignore[arg-type]
    if len(data) < budget:
        raise bad_argument(
            "documents",
            expected=f"at least budget = {budget} bytes",
            given=f"{len(data)} bytes",
            hint="give more text, or lower the budget of everything that you compare",
        )
    return budget / len(gzip.compress(data[:budget], compresslevel=9, mtime=0))


def _serialise(corpus: Corpus) -> bytes:
    if int(corpus.tokens.max()) >= _BETWEEN_DOCUMENTS:
        raise bad_argument(
            "documents",
            expected=f"token ids below {_BETWEEN_DOCUMENTS}",
            given=int(corpus.tokens.max()),
            hint="token ids of every tokenizer are far below",
        )
    ends = np.cumsum(corpus.lengths)[:-1]
    return np.insert(corpus.tokens, ends, _BETWEEN_DOCUMENTS).astype("<u4").tobytes()
