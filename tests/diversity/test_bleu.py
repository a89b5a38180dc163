"""Self-BLEU against nltk and sacrebleu."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from sacrebleu.metrics.bleu import BLEU

from collapse_guard.diversity import self_bleu
from collapse_guard.diversity.bleu import self_bleu_scores
from collapse_guard.errors import ArgumentError
from tests.diversity.texts import draw, texts_of


def by_nltk(texts: list[list[int]], smoothing: float = 0.1) -> list[float]:
    smooth = SmoothingFunction(smoothing).method1
    return [
        sentence_bleu([*texts[:place], *texts[place + 1 :]], text, smoothing_function=smooth)
        for place, text in enumerate(texts)
    ]


def by_sacrebleu(texts: list[list[int]], smoothing: float = 0.1) -> list[float]:
    bleu = BLEU(smooth_method="floor", smooth_value=smoothing, tokenize="none")
    lines = [" ".join(map(str, text)) for text in texts]
    return [
        bleu.sentence_score(line, [*lines[:place], *lines[place + 1 :]]).score / 100
        for place, line in enumerate(lines)
    ]


@given(
    texts=texts_of(min_texts=2, max_texts=6, min_tokens=1, max_tokens=15),
    smoothing=st.sampled_from([0.1, 1e-3, 1.0]),
)
def test_equals_nltk_text_by_text(texts: list[list[int]], smoothing: float) -> None:
    scores = self_bleu_scores(texts, num_texts=len(texts), smoothing=smoothing)
    np.testing.assert_allclose(scores, by_nltk(texts, smoothing), rtol=1e-12, atol=1e-12)


@given(
    # Two types and many tokens: clipping by counts, not by presence, decides.
    st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=20), min_size=2, max_size=6)
)
def test_clips_like_nltk(texts: list[list[int]]) -> None:
    found = self_bleu(texts, num_texts=len(texts))
    assert found == pytest.approx(np.mean(by_nltk(texts)), abs=1e-12)


def test_equals_nltk_on_longer_texts() -> None:
    texts = draw(4000, np.random.default_rng(0)).tolist()
    found = self_bleu(texts, num_texts=40)
    assert found == pytest.approx(np.mean(by_nltk(texts)), abs=1e-12)


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_equals_sacrebleu(smoothing: float) -> None:
    texts = draw(4000, np.random.default_rng(1)).tolist()
    # Different lengths, for the brevity penalty.
    texts = [text[: len(text) - place % 7] for place, text in enumerate(texts)]
    scores = self_bleu_scores(texts, num_texts=40, smoothing=smoothing)
    np.testing.assert_allclose(scores, by_sacrebleu(texts, smoothing), rtol=0, atol=1e-12)


def test_extremes() -> None:
    assert self_bleu([[1, 2, 3, 4, 5]] * 7, num_texts=7) == pytest.approx(1)
    assert self_bleu([[1, 2], [3, 4]], num_texts=2) == 0


def test_reads_only_the_texts_asked_for() -> None:
    texts = [[1, 2, 3, 4], [1, 2, 3, 5], [1, 2, 3, 4]]
    assert self_bleu(texts, num_texts=2) == self_bleu(texts[:2], num_texts=2)
    assert self_bleu(texts, num_texts=2) < self_bleu(texts, num_texts=3)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ArgumentError, match="`num_texts` expected at least 2"):
        self_bleu([[1]], num_texts=1)
    with pytest.raises(ArgumentError, match="texts of at least 1 token"):
        self_bleu([[1], []], num_texts=2)
    with pytest.raises(ArgumentError, match="`smoothing` expected a number above 0"):
        self_bleu([[1], [2]], num_texts=2, smoothing=0)
