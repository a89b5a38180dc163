"""The Vendi score against closed forms and scipy, and its kernels against loops."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from scipy import linalg, stats

from collapse_guard.diversity import embedding_kernel, ngram_kernel, vendi_score
from collapse_guard.errors import ArgumentError
from tests.diversity.texts import draw, ngrams_of, texts_of


def cosine(left: Counter[tuple[int, ...]], right: Counter[tuple[int, ...]]) -> float:
    product = sum(count * right[gram] for gram, count in left.items())
    return product / math.sqrt(
        sum(c * c for c in left.values()) * sum(c * c for c in right.values())
    )


@given(texts_of(min_texts=2, min_tokens=3))
def test_ngram_kernel_equals_a_loop(texts: list[list[int]]) -> None:
    counters = [[Counter(ngrams_of(text, n)) for text in texts] for n in (1, 2, 3)]
    expected = np.mean([[[cosine(a, b) for a in row] for b in row] for row in counters], axis=0)
    found = ngram_kernel(texts, num_texts=len(texts), max_n=3)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_ngram_kernel_of_more_ngrams_than_are_multiplied_at_a_time() -> None:
    texts = draw(20_000, np.random.default_rng(0))
    counters = [Counter(ngrams_of(text.tolist(), 1)) for text in texts]
    found = ngram_kernel(texts, num_texts=len(texts), max_n=1)
    for row, column in ((0, 1), (3, 150), (199, 42)):
        assert found[row, column] == pytest.approx(cosine(counters[row], counters[column]))


def test_score_of_equal_groups_is_their_number() -> None:
    kernel = np.kron(np.eye(3), np.ones((5, 5)))
    assert vendi_score(kernel) == pytest.approx(3)


def test_score_is_the_exponential_of_scipys_entropy() -> None:
    kernel = embedding_kernel(np.random.default_rng(0).normal(size=(30, 7)))
    eigenvalues = np.clip(linalg.eigh(kernel, eigvals_only=True), 0, None)
    assert vendi_score(kernel) == pytest.approx(math.exp(stats.entropy(eigenvalues)))


def test_extremes() -> None:
    same = [[1, 2, 3, 4]] * 6
    assert vendi_score(ngram_kernel(same, num_texts=6)) == pytest.approx(1)
    apart = [range(start, start + 4) for start in range(0, 24, 4)]
    assert vendi_score(ngram_kernel(apart, num_texts=6)) == pytest.approx(6)
    assert vendi_score(embedding_kernel(np.ones((4, 2)))) == pytest.approx(1)


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        ([[1.0]], r"shape \(1, 1\)"),
        (np.ones((2, 3)), r"shape \(2, 3\)"),
        ([[1, math.nan], [math.nan, 1]], "a NaN or infinite entry"),
        ([[2, 0], [0, 2]], "another diagonal"),
        ([[1, 0.5], [0, 1]], "not symmetric"),
        ([[1, 2], [2, 1]], "an eigenvalue of -1"),
    ],
)
def test_what_is_no_kernel_is_named(kernel: list[list[float]], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        vendi_score(kernel)


def test_bad_texts_and_embeddings_are_named() -> None:
    with pytest.raises(ArgumentError, match="texts of at least 4 tokens, but got '3 in text 1'"):
        ngram_kernel([[1, 2, 3, 4], [1, 2, 3]], num_texts=2)
    with pytest.raises(ArgumentError, match="`num_texts` expected at least 2"):
        ngram_kernel([[1, 2, 3, 4]], num_texts=1)
    with pytest.raises(ArgumentError, match="`max_n` expected at least 1"):
        ngram_kernel([[1], [2]], num_texts=2, max_n=0)
    with pytest.raises(ArgumentError, match="at least 2 texts"):
        embedding_kernel([[1.0, 2.0]])
    for row, length in (([0.0, 0.0], "0.0"), ([math.inf, 0.0], "inf"), ([math.nan, 0.0], "nan")):
        with pytest.raises(ArgumentError, match=f"row 1 of length {length}"):
            embedding_kernel([[1.0, 2.0], row])
