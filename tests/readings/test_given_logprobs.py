"""Log-probabilities as vLLM hands them over, against the numbers that are in them."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from collapse_guard import ArgumentError
from collapse_guard.readings.from_logprobs import logprob_readings
from collapse_guard.readings.given_logprobs import read_logprobs
from tests.tiny import tiny_reference, zipf_documents


@dataclass
class Logprob:
    """The attributes of vLLM's own."""

    logprob: float
    rank: int | None = None
    decoded_token: str | None = None


DOCUMENTS = zipf_documents(6, length=40, seed=3)
NUMBERS = (-np.random.default_rng(0).exponential(3.0, (2, 6, 40))).tolist()


def prompt_logprobs(numbers: list[float], ids: list[int], kind: str) -> list[Any]:
    """With `prompt_logprobs=1`: the token that stands there, the likeliest, nothing at first."""
    make: Any = Logprob if kind == "offline" else lambda number: {"logprob": number, "rank": 1}
    key: Any = int if kind == "offline" else str
    likeliest = [next(other for other in (7, 8) if other != token) for token in ids]
    return [None] + [
        {key(other): make(-0.1), key(token): make(number)}
        for token, number, other in zip(ids[1:], numbers[1:], likeliest[1:], strict=True)
    ]


@pytest.mark.parametrize("kind", ["offline", "server"])
def test_prompt_logprobs_read_as_the_numbers_in_them(kind: str) -> None:
    now, start = (
        [prompt_logprobs(row, ids, kind) for row, ids in zip(rows, DOCUMENTS, strict=True)]
        for rows in NUMBERS
    )
    labels = [[-100, *ids[1:]] for ids in DOCUMENTS]
    expected = logprob_readings(NUMBERS[0], labels, tiny_reference(), start_logprobs=NUMBERS[1])
    found = logprob_readings(now, DOCUMENTS, tiny_reference(), start_logprobs=start)
    assert {name: each[:2] for name, each in found.items()} == {
        name: each[:2] for name, each in expected.items()
    }


def test_what_either_model_has_no_number_for_is_not_scored() -> None:
    now = [[None, *row[1:]] for row in NUMBERS[0]]
    start = [[*row[:-1], None] for row in NUMBERS[1]]
    inner = [ids[1:-1] for ids in DOCUMENTS]
    expected = logprob_readings(
        [row[1:-1] for row in NUMBERS[0]],
        inner,
        tiny_reference(),
        start_logprobs=[row[1:-1] for row in NUMBERS[1]],
    )
    found = logprob_readings(now, DOCUMENTS, tiny_reference(), start_logprobs=start)
    for name, each in expected.items():
        assert found[name].value == pytest.approx(each.value, rel=1e-12)


@pytest.mark.parametrize("as_given", [list, np.array, torch.tensor])
def test_numbers_stay_what_they_are(as_given: Any) -> None:
    values, given = read_logprobs("logprobs", 0, as_given([-1.0, -0.25]), np.array([3, 4]))
    assert values.tolist() == [-1.0, -0.25]
    assert given.all()


def test_what_stands_at_an_ignored_token_is_not_looked_at() -> None:
    values, _ = read_logprobs("logprobs", 0, [{9: -1.0}, {4: -2.0}], np.array([-100, 4]))
    assert math.isnan(values[0])
    assert values[1] == -2.0


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([{9: -1.0}, {8: -2.0}], r"token 3 among those of its position, .* \[9\].*unshifted"),
        ([None], "2 numbers for document 5"),
        (["a", "b"], "`logprobs` expected a log-probability for each token .*prompt_logprobs"),
        ([None, "b"], "got 'b'"),
        ([None, [-1.0]], r"got \[-1.0\]"),
        ([True, None], "got True"),
        ([{3: {"rank": 1}}, None], "got {'rank': 1}"),
    ],
)
def test_what_is_no_log_probability_is_named(document: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        read_logprobs("logprobs", 5, document, np.array([3, 4]))
