from collections.abc import Sequence

import datasets
import numpy as np
import pytest

from collapse_guard.audit.filters.detector import TextDetector, detector_scores
from collapse_guard.errors import ArgumentError, ScoringError
from tests.human_text.test_reference import word_tokenizer

TOKENIZER = word_tokenizer("a", "b", "c")


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
