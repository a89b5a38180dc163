"""distinct-n against a loop over Python sets, and EAD against exact fractions."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, strategies as st

from collapse_guard.diversity import distinct_n, ead
from collapse_guard.errors import ArgumentError
from tests.diversity.texts import ngrams_of, texts_of


def distinct_by_a_loop(documents: list[list[int]], n: int, budget: int) -> float:
    ngrams = []
    for document in documents:
        cut = document[:budget]
        budget -= len(cut)
        ngrams += ngrams_of(cut, n)
    return len(set(ngrams)) / len(ngrams)


@given(
    documents=texts_of().filter(lambda texts: any(len(text) >= 4 for text in texts)),
    n=st.integers(1, 4),
    data=st.data(),
)
def test_equals_a_loop(documents: list[list[int]], n: int, data: st.DataObject) -> None:
    before_a_long_one = 0
    for document in documents:
        if len(document) >= n:
            break
        before_a_long_one += len(document)
    total = sum(map(len, documents))
    budget = data.draw(st.integers(before_a_long_one + n, total))
    assert distinct_n(documents, n, budget=budget) == distinct_by_a_loop(documents, n, budget)


def test_extremes() -> None:
    assert distinct_n([[5] * 101], 2, budget=101) == 1 / 100
    assert distinct_n([range(50)], 3, budget=50) == 1.0


def test_documents_may_be_rows_of_a_tensor() -> None:
    rows = torch.tensor([[1, 2, 1, 2], [1, 2, 1, 2]])
    assert distinct_n(rows, 2, budget=8) == 2 / 6


@pytest.mark.parametrize(
    ("documents", "n", "budget", "message"),
    [
        ([[1, 2, 3]], 0, 3, "`n` expected at least 1"),
        ([[1, 2, 3]], 2, 1, "`budget` expected at least n = 2"),
        ([[1, 2], [3]], 2, 4, "at least budget = 4 tokens, but got '3 tokens'"),
        ([], 2, 4, "but got '0 tokens'"),
        ([[1], [2], [3]], 2, 3, "a document of at least n = 2 tokens"),
        ([[1, -100, 3]], 2, 3, "token ids of at least 0, but got -100"),
    ],
)
def test_bad_arguments_are_named(
    documents: list[list[int]], n: int, budget: int, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        distinct_n(documents, n, budget=budget)


@given(
    documents=st.lists(st.lists(st.integers(0, 9), min_size=1), min_size=1),
    vocab_size=st.integers(10, 200_000),
)
def test_ead_equals_exact_fractions(documents: list[list[int]], vocab_size: int) -> None:
    budget = sum(map(len, documents))
    types = len({token for document in documents for token in document})
    exact = types / (vocab_size * (1 - (1 - Fraction(1, vocab_size)) ** budget))
    found = ead(documents, vocab_size=vocab_size, budget=budget)
    assert found == pytest.approx(float(exact), rel=1e-12)


def test_ead_extremes_and_bad_arguments() -> None:
    assert ead([[0, 0]], vocab_size=1, budget=2) == 1.0
    assert ead([[7] * 1000], vocab_size=10, budget=1000) == pytest.approx(0.1)
    with pytest.raises(ArgumentError, match="more than the largest token id 7"):
        ead([[7]], vocab_size=7, budget=1)
    with pytest.raises(ArgumentError, match="`budget` expected at least 1"):
        ead([[7]], vocab_size=8, budget=0)
