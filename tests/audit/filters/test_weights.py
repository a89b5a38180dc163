from collections.abc import Sequence

import datasets
import numpy as np
import pytest

from collapse_guard import HumanReference, Source
from collapse_guard.audit.filters.detector import TextDetector, detector_scores
from collapse_guard.audit.filters.rarity import row_rarity
from collapse_guard.audit.filters.weights import quality_weights
from collapse_guard.errors import ArgumentError, ScoringError, TokenizerMismatchError
from collapse_guard.rows.column import Column
from collapse_guard.rows.row_source import RowSource
from collapse_guard.rows.token_rarity import token_rarity
from tests.human_text.test_reference import word_tokenizer

TOKENIZER = word_tokenizer("a", "b", "c")
REFERENCE = HumanReference.from_token_ids(
    [[1] * 80, [2] * 15, [3] * 5], vocab_size=4, tokenizer=TOKENIZER
)


def share_of_a(texts: Sequence[str]) -> np.ndarray:
    return np.array([text.split().count("a") / max(len(text.split()), 1) for text in texts])


@pytest.mark.parametrize("form", ["texts", "text dataset", "token ids"])
def test_every_row_is_scored_whatever_the_batches(form: str) -> None:
    texts = ["a a b b", "a", "", "c"] * 5
    rows = {
        "texts": texts,
        "text dataset": datasets.Dataset.from_dict({"text": texts}),
        "token ids": [TOKENIZER.encode(text) for text in texts],
    }[form]
    assert isinstance(share_of_a, TextDetector)
    for batch_size in (1, 3, 100):
        scores = detector_scores(share_of_a, rows, tokenizer=TOKENIZER, batch_size=batch_size)
        assert scores.tolist() == [0.5, 1.0, 0.0, 0.0] * 5


@pytest.mark.parametrize(
    "returned",
    [[0.5], [0.5, 1.5], [0.5, -0.1], [0.5, float("nan")], [[0.5, 0.5]], None, ["a", "b"]],
)
def test_what_is_no_probability_for_each_text_is_refused(returned: object) -> None:
    with pytest.raises(ScoringError, match="has to return a probability"):
        detector_scores(lambda texts: returned, ["a", "b"])


def test_token_ids_need_their_tokenizer() -> None:
    with pytest.raises(ArgumentError, match="`tokenizer`"):
        detector_scores(share_of_a, [[1]])
    with pytest.raises(ArgumentError, match="`batch_size`"):
        detector_scores(share_of_a, ["a"], batch_size=0)


def test_rarity_is_the_one_that_the_mixture_ranks_by() -> None:
    texts = ["a a b", "c", "", "a"]
    ids = [TOKENIZER.encode(text) for text in texts]
    column = Column(RowSource("human", [{"input_ids": row} for row in ids]), "input_ids")
    expected = token_rarity(column, REFERENCE)
    assert row_rarity(ids, REFERENCE).tolist() == expected.tolist()
    assert row_rarity(texts, REFERENCE, tokenizer=TOKENIZER).tolist() == expected.tolist()
    with pytest.raises(ArgumentError, match="`tokenizer`"):
        row_rarity(texts, REFERENCE)
    with pytest.raises(TokenizerMismatchError):
        row_rarity(texts, REFERENCE, tokenizer=word_tokenizer("c", "b", "a"))


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
