"""Repetition against naive loops, and compression against gzip itself."""

import gzip
import math
import struct

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.diversity import compression_ratio, rep_n_diversity, self_repetition
from collapse_guard.errors import ArgumentError
from tests.diversity.texts import ngrams_of, texts_of


@given(texts=texts_of(min_tokens=4), data=st.data())
def test_rep_n_diversity_equals_a_loop(texts: list[list[int]], data: st.DataObject) -> None:
    length = data.draw(st.integers(4, min(map(len, texts))))
    expected = 1.0
    for n in (2, 3, 4):
        ngrams = [ngrams_of(text[:length], n) for text in texts]
        expected *= sum(len(set(found)) for found in ngrams) / sum(map(len, ngrams))
    assert rep_n_diversity(texts, length=length) == pytest.approx(expected)


@given(texts=texts_of(min_texts=2, min_tokens=1), n=st.integers(1, 4))
def test_self_repetition_equals_a_loop(texts: list[list[int]], n: int) -> None:
    sets = [set(ngrams_of(text, n)) for text in texts]
    expected = 0.0
    for place, own in enumerate(sets):
        others = sets[:place] + sets[place + 1 :]
        elsewhere = sum(ngram in other for ngram in own for other in others)
        expected += math.log(1 + elsewhere) / len(texts)
    found = self_repetition(texts, num_texts=len(texts), n=n)
    assert found == pytest.approx(expected)


def test_extremes() -> None:
    assert rep_n_diversity([range(9), range(9)], length=9) == 1
    assert rep_n_diversity([[1] * 9] * 3, length=9) == pytest.approx(1 / 8 / 7 / 6)
    assert self_repetition([[1, 2, 3, 4], [5, 6, 7, 8]], num_texts=2) == 0
    assert self_repetition([range(10)] * 5, num_texts=5) == pytest.approx(math.log(1 + 7 * 4))


def test_compression_is_one_gzip_run_over_the_first_bytes() -> None:
    texts = ["Grüße an alle", "und noch einmal", "Grüße an alle"]
    raw = "\n".join(texts).encode()
    assert compression_ratio(texts, budget=30) == 30 / len(gzip.compress(raw[:30], mtime=0))
    ids = [[1, 70_000], [], [3]]
    packed = struct.pack("<5I", 1, 70_000, 2**32 - 1, 2**32 - 1, 3)
    expected = 20 / len(gzip.compress(packed, mtime=0))
    assert compression_ratio(ids, budget=20) == expected


def test_compression_tells_noise_from_repetition() -> None:
    noise = np.random.default_rng(0).integers(0, 2**31, (10, 1000))
    assert compression_ratio(noise, budget=40_000) == pytest.approx(1, abs=0.2)
    assert compression_ratio(["the same again "] * 10_000, budget=100_000) > 100


@pytest.mark.parametrize(
    ("texts", "length", "message"),
    [
        ([[1, 2, 3, 4]], 3, "`length` expected at least 4"),
        ([[1, 2, 3, 4], [1, 2, 3]], 4, "at least length = 4 tokens, but got '3 in text 1'"),
        ([], 4, "at least length = 4 tokens, but got 'no text'"),
        ([1, 2, 3, 4], 4, "put a single document into a list"),
        ([[1, -1, 2, 3]], 4, "at least 0, but got -1"),
    ],
)
def test_bad_texts_for_rep_n_are_named(texts: list[list[int]], length: int, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        rep_n_diversity(texts, length=length)


@pytest.mark.parametrize(
    ("documents", "budget", "message"),
    [
        (["a"], 0, "`budget` expected at least 1"),
        (["ab"], 3, "at least budget = 3 bytes, but got '2 bytes'"),
        ([[1]], 5, "at least budget = 5 bytes, but got '4 bytes'"),
        ([], 1, "at least one token"),
        ([""], 1, "but got '0 bytes'"),
        (["a", [1]], 1, "either strings or token ids"),
        ([[2**32 - 1]], 1, "token ids below 4294967295"),
    ],
)
def test_bad_documents_for_compression_are_named(
    documents: list[str], budget: int, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        compression_ratio(documents, budget=budget)


def test_one_text_has_no_self_repetition() -> None:
    with pytest.raises(ArgumentError, match="`num_texts` expected at least 2"):
        self_repetition([[1, 2, 3, 4]], num_texts=1)
