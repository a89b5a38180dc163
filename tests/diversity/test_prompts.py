"""Per-input and cross-input diversity against models that lack one of them."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from collapse_guard.diversity import cross_input, per_input, self_bleu
from collapse_guard.errors import ArgumentError

Text = Sequence[int]


def likeness(texts: Sequence[Text]) -> float:
    return self_bleu(texts, num_texts=len(texts))


ONE_ANSWER_PER_PROMPT = [[range(10 * prompt, 10 * prompt + 8)] * 3 for prompt in range(4)]
SAME_ANSWERS_TO_ALL = [[range(10 * answer, 10 * answer + 8) for answer in range(3)]] * 4


def test_each_sees_what_the_other_does_not() -> None:
    assert per_input(likeness, ONE_ANSWER_PER_PROMPT) == (pytest.approx(1), 0)
    assert cross_input(likeness, ONE_ANSWER_PER_PROMPT) == (0, 0)
    assert per_input(likeness, SAME_ANSWERS_TO_ALL) == (0, 0)
    assert cross_input(likeness, SAME_ANSWERS_TO_ALL) == (
        pytest.approx(1),
        pytest.approx(0, abs=1e-12),
    )


def test_standard_errors_are_over_prompts() -> None:
    levels = np.random.default_rng(0).normal(size=(12, 3))

    def mean(values: Sequence[float]) -> float:
        return float(np.mean(values))

    for grouping in (per_input, cross_input):
        value, error = grouping(mean, levels.tolist())
        assert value == pytest.approx(levels.mean())
        assert error == pytest.approx(stats.sem(levels.mean(1)))


def test_one_prompt() -> None:
    value, error = per_input(likeness, ONE_ANSWER_PER_PROMPT[:1])
    assert value == pytest.approx(1)
    assert math.isnan(error)
    with pytest.raises(ArgumentError, match="at least 2 prompts"):
        cross_input(likeness, ONE_ANSWER_PER_PROMPT[:1])


@pytest.mark.parametrize("samples", [[], [[[1]]], [[[1], [2]], [[1], [2], [3]]]])
def test_unequal_numbers_of_samples_are_named(samples: list[list[list[int]]]) -> None:
    with pytest.raises(ArgumentError, match="the same number of at least 2 samples"):
        per_input(likeness, samples)
