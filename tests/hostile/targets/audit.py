"""Rows looked at before training, filters, and the search for a sampler."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from collapse_guard import Decoding, Source, audit, effective_temperature, find_decoding
from collapse_guard.audit import EntropyRateBand
from collapse_guard.human_text.words import word_spans
from tests.callbacks.one_call.people import people_write
from tests.hostile.target import Target
from tests.hostile.targets.made import (
    Words,
    model,
    optimizer,
    panel,
    reference,
    rows,
    texts,
    word_reference,
)


def fair(texts: Sequence[str]) -> np.ndarray:
    return np.array([len(set(text)) / (len(text) + 1) for text in texts])


def spoken() -> list[dict[str, Any]]:
    return [{"text": f"it was a bright cold day in april, number {day}"} for day in range(30)]


def scores() -> np.ndarray:
    return np.linspace(0.05, 0.95, 40)


def sampled(texts: int, seed: int = 0, part: str = "") -> audit.ContentSample:
    sample = audit.ContentSample(100_000)
    sample.extend(people_write(texts, seed=seed), part=part)
    return sample


def targets() -> Iterator[Target]:
    yield Target(
        "audit.audit_rows",
        audit.audit_rows,
        lambda: {
            "sources": [Source(rows(1), "a", "human"), Source(rows(2), "b", "synthetic")],
            "column": None,
            "panel": panel(),
            "tokenizer": None,
            "near": None,
        },
    )
    yield Target(
        "audit.audit_texts",
        audit.audit_texts,
        lambda: {
            "human": people_write(40),
            "synthetic": people_write(40, seed=2),
            "tokenizer": None,
            "target": 0.9,
            "near": 0.8,
            "characters": 100_000,
            "seed": 0,
            "spans": word_spans,
        },
    )
    yield Target(
        "audit.ContentSample",
        audit.ContentSample,
        lambda: {"characters": 100_000, "limit": 2**64},
    )
    yield Target(
        "audit.ContentSample.extend",
        lambda texts, part: sampled(40).extend(texts, part=part),
        lambda: {"texts": people_write(40), "part": "second"},
    )
    yield Target(
        "audit.ContentSample.merge",
        lambda other: sampled(40).merge(other),
        lambda: {"other": sampled(30, part="second")},
    )
    yield Target(
        "audit.ContentSample.take_in",
        lambda other: sampled(40).take_in(other),
        lambda: {"other": sampled(30, part="second")},
    )
    yield Target(
        "audit.ContentSample.of_state",
        audit.ContentSample.of_state,
        lambda: {"state": sampled(10).state_dict()},
    )
    yield Target(
        "audit.audit_samples",
        audit.audit_samples,
        lambda: {
            "human": sampled(40),
            "synthetic": sampled(40, seed=2),
            "tokenizer": None,
            "target": 0.9,
            "near": 0.8,
            "seed": 0,
            "spans": word_spans,
        },
    )
    yield Target(
        "audit.AuditReport.bad_rows",
        lambda source: audit.audit_rows([Source(rows(1), "a", "human")], near=None).bad_rows(
            source
        ),
        lambda: {"source": "a"},
        (KeyError,),
    )
    yield Target(
        "audit.detector_scores",
        audit.detector_scores,
        lambda: {
            "detector": fair,
            "rows": spoken(),
            "column": None,
            "tokenizer": None,
            "batch_size": 8,
        },
    )
    yield Target(
        "audit.check_detector",
        audit.check_detector,
        lambda: {"detector": fair, "texts": ["It was a bright cold day.", "The clocks struck."]},
    )
    yield Target(
        "audit.quality_weights",
        audit.quality_weights,
        lambda: {"scores": scores(), "rarity": scores(), "least": 0.1, "strength": 1.0},
    )
    yield Target(
        "audit.rejection_by_rarity",
        audit.rejection_by_rarity,
        lambda: {
            "weights": scores(),
            "rarity": scores(),
            "num_strata": 4,
            "alpha": 0.01,
            "tolerance": 1.25,
        },
    )
    yield Target(
        "audit.row_entropy_rates",
        audit.row_entropy_rates,
        lambda: {"rows": rows(1), "column": None},
    )
    yield Target(
        "audit.row_rarity",
        audit.row_rarity,
        lambda: {"rows": rows(1), "reference": reference(), "column": None, "tokenizer": None},
    )
    yield Target(
        "audit.row_rarity of texts",
        audit.row_rarity,
        lambda: {"rows": spoken(), "reference": word_reference(), "tokenizer": Words()},
    )
    yield Target(
        "audit.EntropyRateBand.of",
        EntropyRateBand.of,
        lambda: {"human": rows(1, 120), "column": None, "keep": 0.9},
    )
    yield Target(
        "audit.EntropyRateBand.weigh",
        lambda **given: EntropyRateBand.of(rows(1, 120)).weigh(**given),
        lambda: {"rows": rows(2), "rarity": scores(), "column": None, "outside": 0.0},
    )
    yield Target(
        "audit.EntropyRateBand.contains",
        lambda **given: EntropyRateBand.of(rows(1, 120)).contains(**given),
        lambda: {"rates": np.ones(3), "lengths": np.full(3, 16.0)},
    )
    yield Target(
        "effective_temperature",
        effective_temperature,
        lambda: {
            "rows": rows(2, 6),
            "model": model(),
            "column": None,
            "tokenizer": None,
            "documents": None,
            "prefix": (),
            "is_generator": False,
            "every": 4,
            "max_rows": 6,
            "max_tokens": None,
            "batch_size": 8,
        },
    )
    yield Target(
        "find_decoding",
        find_decoding,
        lambda: {
            "model": model(),
            "rows": rows(2, 4),
            "held_out": texts(3, 16),
            "optimizer": optimizer,
            "candidates": [Decoding(0.8)],
            "steps": 1,
            "batch_size": 2,
            "micro_batch_size": None,
            "max_grad_norm": None,
            "max_windows": 4,
            "seed": 0,
            "max_seconds": None,
            "judge": None,
            "progress": None,
        },
    )
