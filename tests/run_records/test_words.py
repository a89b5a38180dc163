import base64
import json
from typing import Any

import numpy as np
import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.readings.lost_words import MOST_WORDS
from collapse_guard.run_records.words import (
    ROUNDING,
    logprobs_of,
    packed_logprobs,
    words_of,
    words_values,
)
from collapse_guard.statistics.json_forms import Part
from tests.run_records.made import LOST


def test_log_probabilities_come_back_to_a_thousandth_of_themselves() -> None:
    logprobs = -np.random.default_rng(0).exponential(5.0, 1000)
    packed = packed_logprobs(logprobs)
    # As the documentation says: 8 bytes for 3 positions.
    assert len(packed) <= 8 / 3 * len(logprobs) + 4
    back = logprobs_of(Part("line", packed))
    assert back == pytest.approx(logprobs, rel=ROUNDING)
    assert back != pytest.approx(logprobs, rel=ROUNDING / 100)
    assert logprobs_of(Part("line", packed_logprobs(np.array([-1e9])))).tolist() == [-65504.0]


def encoded(*numbers: float) -> str:
    return base64.b64encode(np.array(numbers, "<f2").tobytes()).decode()


@pytest.mark.parametrize(
    "given", [3, None, "?", "é", "AAA", encoded(1.0), encoded(np.nan), encoded(-np.inf), "AA=="]
)
def test_what_is_no_log_probabilities_is_refused(given: object) -> None:
    with pytest.raises(ArgumentError, match="line"):
        logprobs_of(Part("line", given))


def test_lost_words_come_back() -> None:
    values = json.loads(json.dumps(words_values(LOST)))
    assert words_of(Part("line", values)) == LOST


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("start_logprob", 0.5),
        ("start_logprob", -9.6),
        ("end_logprob", float("nan")),
        ("end_logprob", -1e300),
        ("occurrences", 0),
        ("shown", None),
        ("compared", 3),
        ("halved", 1),
        ("words", [words_values(LOST)["words"][0]] * (MOST_WORDS + 1)),
        ("words", [{}]),
    ],
)
def test_what_is_no_lost_words_is_refused(key: str, value: Any) -> None:
    values = words_values(LOST)
    changed = values if key in values else values["words"][0]
    changed[key] = value
    with pytest.raises(ArgumentError, match="line"):
        words_of(Part("line", values))
