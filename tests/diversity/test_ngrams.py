"""Codes and counts of n-grams against tuples and Counters."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from collapse_guard.diversity.corpus import pack, pack_texts, pack_tokens
from collapse_guard.diversity.ngrams import count_ngrams, find_ngrams
from collapse_guard.diversity.occurrences import find_occurrences
from collapse_guard.errors import ArgumentError
from tests.diversity.texts import ngrams_of, texts_of

filled_texts = texts_of().filter(any)


@given(texts=filled_texts, n=st.integers(1, 6))
def test_codes_are_equal_exactly_where_ngrams_are(texts: list[list[int]], n: int) -> None:
    found = find_ngrams(pack(texts), n)
    expected = [(gram, place) for place, text in enumerate(texts) for gram in ngrams_of(text, n)]
    assert found.documents.tolist() == [place for _, place in expected]
    codes = found.codes.tolist()
    assert len(codes) == len(expected)
    pairs = {(code, gram) for code, (gram, _) in zip(codes, expected, strict=True)}
    assert len(pairs) == len(set(codes)) == len({gram for gram, _ in expected})
    assert all(0 <= code < found.bound for code in codes)


@given(texts=filled_texts, n=st.integers(1, 4))
def test_counts_equal_a_counter(texts: list[list[int]], n: int) -> None:
    counter = Counter(gram for text in texts for gram in ngrams_of(text, n))
    found = find_ngrams(pack(texts), n)
    assert sorted(count_ngrams(found).tolist()) == sorted(counter.values())


@given(texts=filled_texts, n=st.integers(1, 4))
def test_occurrences_equal_a_counter_per_document(texts: list[list[int]], n: int) -> None:
    counters = [Counter(ngrams_of(text, n)) for text in texts]
    found = find_occurrences(find_ngrams(pack(texts), n))
    cells = Counter(zip(found.documents.tolist(), found.counts.tolist(), strict=True))
    assert cells == Counter((d, c) for d, counter in enumerate(counters) for c in counter.values())
    containing = Counter(gram for counter in counters for gram in counter)
    assert sorted(found.document_counts.tolist()) == sorted(containing.values())
    assert found.types.tolist() == sorted(found.types.tolist())


def test_many_documents_of_large_ids() -> None:
    # 4-grams of 32-bit ids by documents overflow unless they are renumbered on the way.
    generator = np.random.default_rng(0)
    texts = (generator.integers(0, 40, (500, 30)) + 2**31).astype(np.int64)
    found = find_occurrences(find_ngrams(pack(texts), 4))
    counters = [Counter(ngrams_of(text.tolist(), 4)) for text in texts]
    assert len(found.types) == sum(map(len, counters))
    assert len(found.starts) == len(set().union(*counters))


@pytest.mark.parametrize(
    "documents",
    [
        [[1, 2], [3]],
        [np.array([1, 2], dtype=np.int32), np.array([3], dtype=np.uint16)],
        [torch.tensor([1, 2]), torch.tensor([3])],
        ((1, 2), (3,)),
        iter([[1, 2], [], [3]]),
    ],
)
def test_documents_of_every_kind(documents: object) -> None:
    assert pack(documents).tokens.tolist() == [1, 2, 3]  # type: ignore[arg-type]


def test_budget_cuts_the_last_document() -> None:
    assert pack_tokens([[1, 2], [3, 4], [5]], 3).lengths.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([], "at least one token"),
        ([[], []], "2 documents without any"),
        ([[1, -100]], "at least 0, but got -100"),
        (["a b"], "tokenize the text"),
        ([1, 2], "put a single document into a list"),
        ([[0.5]], "whole-number token ids"),
        ([[[1, 2]]], "whole-number token ids"),
    ],
)
def test_what_is_no_document_is_named(documents: list[list[int]], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        pack(documents)


def test_texts_that_do_not_suffice_are_named() -> None:
    with pytest.raises(ArgumentError, match="`num_texts` expected at least 2"):
        pack_texts([[1]], 1)
    with pytest.raises(ArgumentError, match="at least num_texts = 2 texts, but got '1 texts'"):
        pack_texts([[1]], 2)
    with pytest.raises(ArgumentError, match="texts of at least 1 token, but got '0 in text 1'"):
        pack_texts([[1], []], 2)
    with pytest.raises(ArgumentError, match="`n` expected at least 1"):
        find_ngrams(pack([[1]]), 0)
