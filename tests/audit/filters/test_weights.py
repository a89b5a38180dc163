from collections.abc import Sequence

import numpy as np
import pytest

from collapse_guard import HumanReference, Source
from collapse_guard.audit.filters.detector import detector_scores
from collapse_guard.audit.filters.rarity import row_rarity
from collapse_guard.audit.filters.weights import quality_weights
from collapse_guard.errors import ArgumentError
from tests.human_text.test_reference import word_tokenizer

TOKENIZER = word_tokenizer("a", "b", "c")
REFERENCE = HumanReference.from_token_ids(
    [[1] * 80, [2] * 15, [3] * 5], vocab_size=4, tokenizer=TOKENIZER
)


def share_of_a(texts: Sequence[str]) -> np.ndarray:
    return np.array([text.split().count("a") / max(len(text.split()), 1) for text in texts])


def test_weights_fall_with_the_score_and_never_to_nothing_by_default() -> None:
    scores = np.linspace(0, 1, 11)
    weights = quality_weights(scores, np.arange(11)).weights
    assert weights[0] == 1
    assert weights[-1] == pytest.approx(0.1)
    assert (np.diff(weights) < 0).all()
    steep = quality_weights(scores, np.arange(11), least=0.0, strength=3.0).weights
    assert steep.tolist() == pytest.approx(((1 - scores) ** 3).tolist())


def test_weights_are_what_a_source_takes_and_say_whom_they_hit() -> None:
    texts = ["a a a"] * 180 + ["c c c"] * 20
    rarity = row_rarity(texts, REFERENCE, tokenizer=TOKENIZER)

    def dislikes_rare_words(batch: Sequence[str]) -> np.ndarray:
        return np.array([0.9 if "c" in text else 0.1 for text in batch])

    weighed = quality_weights(detector_scores(dislikes_rare_words, texts), rarity)
    assert weighed.rejection.eats_tail
    source = Source(texts, "web", "synthetic", quality=weighed.weights)
    assert len(source.quality) == 200
    fair = quality_weights(np.full(200, 0.4), rarity)
    assert not fair.rejection.eats_tail


@pytest.mark.parametrize(
    "options", [{"least": -0.1}, {"least": 2.0}, {"strength": 0.0}, {"strength": float("inf")}]
)
def test_bad_settings_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ArgumentError):
        quality_weights(np.zeros(2), np.zeros(2), **options)


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
def test_scores_that_are_no_probabilities_are_refused(score: float) -> None:
    with pytest.raises(ArgumentError, match="`scores`"):
        quality_weights(np.array([score]), np.zeros(1))
