"""Readings of given log-probabilities against what a look at a panel reads, and against a loop."""

import math
from typing import Any

import numpy as np
import pytest

from collapse_guard import (
    ArgumentError,
    CollapseMonitor,
    HumanReference,
    PanelError,
    TokenizerMismatchError,
)
from collapse_guard.readings.from_logprobs import logprob_readings
from collapse_guard.readings.panel_logprobs import panel_logprobs
from tests.tiny import BRIEF, perturb, tiny_gpt2, tiny_panel, tiny_reference, zipf_documents


def test_equals_a_look_at_a_panel() -> None:
    panel = tiny_panel(window=100)
    start, model = tiny_gpt2(positions=128), tiny_gpt2(positions=128)
    perturb(model, 0.05)
    monitor = CollapseMonitor(panel, rules=[], sampling=BRIEF)
    monitor.start(start)
    expected = monitor.look(model, 1)
    shape = (len(panel), 99)
    readings = logprob_readings(
        list(panel_logprobs(model, panel).reshape(shape)),
        list(panel.input_ids[:, 1:].numpy()),
        panel.reference,
        start_logprobs=list(panel_logprobs(start, panel).reshape(shape)),
    )
    assert set(readings) < set(expected)
    for name, estimate in readings.items():
        assert estimate.value == pytest.approx(expected[name], rel=1e-6), name
        error = expected.standard_errors[name]
        assert estimate.standard_error == pytest.approx(error, rel=1e-4), name


def test_equals_a_loop_over_ragged_documents_with_ignored_tokens() -> None:
    reference = tiny_reference()
    rng = np.random.default_rng(0)
    documents = [rng.integers(0, 50, size).tolist() for size in (7, 1, 0, 20, 3)]
    now = [(-rng.exponential(3.0, len(ids))).tolist() for ids in documents]
    start = [(-rng.exponential(3.0, len(ids))).tolist() for ids in documents]
    documents[3][5] = -100
    # What stands at an ignored token is not looked at.
    now[3][5] = start[3][5] = math.nan
    readings = logprob_readings(now, documents, reference, start_logprobs=start)
    for band, types in (("tail", reference.tail_types), ("head", reference.head_types)):
        values, changes = [], []
        for ids, left, right in zip(documents, now, start, strict=True):
            kept = [i for i, token in enumerate(ids) if token >= 0 and types[token]]
            values += [left[i] for i in kept]
            if kept:
                changes.append(sum(left[i] - right[i] for i in kept) / len(kept))
        assert readings[f"{band}_logprob"].value == pytest.approx(np.mean(values), rel=1e-12)
        assert readings[f"{band}_retention"].value == pytest.approx(np.exp(np.mean(changes)))
        if band == "tail":
            assert readings["tail_prob"].value == pytest.approx(np.exp(values).mean())
    gap = np.log(readings["head_retention"].value / readings["tail_retention"].value)
    assert readings["tail_gap"].value == pytest.approx(gap)
    scored = [value for row in now for value in row if not math.isnan(value)]
    assert readings["perplexity"].value == pytest.approx(np.exp(-np.mean(scored)))


def test_what_is_no_human_text_is_not_scored() -> None:
    reference = HumanReference(np.append(tiny_reference().counts, 0), special_ids=(50,))
    documents = zipf_documents(5, length=30, seed=3)
    logprobs = (-np.random.default_rng(0).exponential(3.0, (5, 30))).tolist()
    expected = logprob_readings(logprobs, documents, reference, start_logprobs=logprobs)
    # Padded with an end, where a model has any opinion or none.
    padded = [[50, *ids, *[50] * 10] for ids in documents]
    now = [[-9.0, *row, *[-math.inf] * 10] for row in logprobs]
    start = [[math.nan, *row, *[-1.0] * 10] for row in logprobs]
    found = logprob_readings(now, padded, reference, start_logprobs=start)
    assert {name: each[:2] for name, each in found.items()} == {
        name: each[:2] for name, each in expected.items()
    }


def test_an_unchanged_model_kept_all() -> None:
    logprobs, ids = [[-1.0, -2.0], [-3.0, -4.0]], [[0, 49], [0, 48]]
    readings = logprob_readings(logprobs, ids, tiny_reference(), start_logprobs=logprobs)
    assert readings["tail_retention"][:2] == (1.0, 0.0)
    assert readings["tail_gap"][:2] == (0.0, 0.0)


@pytest.mark.parametrize(
    ("logprobs", "token_ids", "more", "error", "message"),
    [
        ([], [], {}, ArgumentError, "`token_ids` expected at least one document"),
        ([[-1.0]], [[0], [49]], {}, ArgumentError, "one document for each of the 2"),
        ([[-1.0], [-1.0]], [[0], [49, 0]], {}, ArgumentError, "2 numbers for document 1"),
        ([[-1.0], [-1.0, 0.5]], [[0], [49, 0]], {}, ArgumentError, "document 1, position 1"),
        ([[-1.0], [math.nan, -1.0]], [[0], [49, 0]], {}, ArgumentError, "got nan: .* position 0"),
        ([[-math.inf, -1.0]], [[0, 49]], {}, ArgumentError, "got -inf"),
        ([[-1.0, -1.0]], [[0.0, 49.0]], {}, ArgumentError, "whole-number token ids"),
        ([["a", "b"]], [[0, 49]], {}, ArgumentError, "`logprobs` expected a log-probability"),
        ([[-1.0, -1.0]], ["ab"], {}, ArgumentError, "`token_ids` .* got 'ab': tokenize text"),
        ([[-1.0, -1.0]], [["a", "b"]], {}, ArgumentError, "got 'a': tokenize text"),
        ([[-1.0, -1.0]], [[0, 50]], {}, TokenizerMismatchError, "token id 50"),
        ([[-1.0, -1.0]], [[0, -1]], {}, TokenizerMismatchError, "token id -1"),
        ([[-1.0, -1.0]], [[0, 0]], {}, PanelError, "none of the 2 scored tokens is a tail type"),
        ([[-1.0, -1.0]], [[49, 49]], {}, PanelError, "is a head type"),
        ([[-1.0]], [[-100]], {}, PanelError, "none of the 0 scored"),
        (
            [[-1.0, -1.0]],
            [[0, 49]],
            {"start_logprobs": [[-1.0]]},
            ArgumentError,
            "`start_logprobs` expected 2 numbers for document 0",
        ),
    ],
)
def test_bad_input_is_named(
    logprobs: Any, token_ids: Any, more: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        logprob_readings(logprobs, token_ids, tiny_reference(), **more)
