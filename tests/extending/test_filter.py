"""A filter of one's own weighs the rows of a source; nothing is registered.

A filter ends in one weight for each row, which `Source(quality=...)` takes. One that says how
likely a text is to be machine-written is a `TextDetector`: any function from texts to
probabilities. `check_detector` holds it to its promises, and `quality_weights` makes weights of it.
Inside the package, a detector is a file in `integrations/detectors/`; any other filter is a file in
`collapse_guard/audit/filters/`, named in `collapse_guard/audit/__init__.py`.
"""

from collections.abc import Sequence

import numpy as np
import pytest

from collapse_guard import HumanReference, MixGuard, Source
from collapse_guard.audit import (
    TextDetector,
    check_detector,
    detector_scores,
    quality_weights,
    rejection_by_rarity,
    row_rarity,
)
from collapse_guard.errors import ConformityError
from tests.human_text.test_reference import word_tokenizer

HUMAN = ["a plain row"] * 100
# Every other row of the model says so, the rare ones as often as the common ones.
MODEL = [
    f"{'as an ai i say' if row % 2 else 'one might say'} {'rain' if row < 180 else 'petrichor'}"
    for row in range(200)
]
TOKENIZER = word_tokenizer(*sorted({word for text in [*HUMAN, *MODEL] for word in text.split()}))


def says_so(texts: Sequence[str], /) -> np.ndarray:
    """The machine's own admission, as a probability."""
    return np.array([0.9 if "as an ai" in text.lower() else 0.1 for text in texts])


def reference() -> HumanReference:
    ids = [TOKENIZER.encode(text) for text in [*HUMAN, *MODEL]]
    return HumanReference.from_token_ids(ids, vocab_size=len(TOKENIZER), tokenizer=TOKENIZER)


def times_shown(quality: np.ndarray) -> np.ndarray:
    guard = MixGuard(
        HUMAN,
        Source(MODEL, "model", "synthetic", quality=quality),
        human_fraction=0.5,
        block_size=10,
        length=4000,
        max_repeats=40,
    )
    located = guard.locate(range(len(guard)))
    return np.bincount(located.row[~located.is_human], minlength=len(MODEL))


def test_a_function_is_a_detector() -> None:
    assert isinstance(says_so, TextDetector)
    check_detector(says_so)
    with pytest.raises(ConformityError, match="returns a probability for each text"):
        check_detector(lambda texts: np.array([2.0 for _ in texts]))


def test_its_scores_decide_how_often_rows_are_shown_and_say_whom_they_hit() -> None:
    scores = detector_scores(says_so, MODEL)
    weighed = quality_weights(scores, row_rarity(MODEL, reference(), tokenizer=TOKENIZER), least=0)
    assert not weighed.rejection.eats_tail
    times = times_shown(weighed.weights)
    assert times[0::2].mean() / times[1::2].mean() == pytest.approx(9, rel=0.05)


def test_weights_may_come_from_anywhere() -> None:
    """Here from the last word of a row; and the report sees that it eats the tail."""
    weights = np.array([float(not text.endswith("petrichor")) for text in MODEL])
    rarity = row_rarity(MODEL, reference(), tokenizer=TOKENIZER)
    assert rejection_by_rarity(weights, rarity).eats_tail
    times = times_shown(weights)
    assert times[180:].tolist() == [0] * 20
    assert times[:180].min() >= 11
