"""The monitor, its rules, paces and readings."""

from collections.abc import Iterator
from typing import Any

import torch

from collapse_guard import (
    Budget,
    CollapseMonitor,
    EveryNSteps,
    FailureGuard,
    PrequentialReader,
    Reading,
    ReadingKind,
    Threshold,
    Track,
    collapse_profile,
    continuation_pairs,
    control_rules,
    default_rules,
    flattening_rules,
    log_alert,
    log_odds_reading,
)
from collapse_guard.alerts.strata_rules import strata_rules
from collapse_guard.readings.contextual_tail import contextual_reading
from collapse_guard.readings.frequency_bands import band_readings, frequency_bands
from collapse_guard.readings.from_logprobs import logprob_readings
from collapse_guard.readings.hidden_state_spectrum import hidden_state_rank, hidden_state_reading
from collapse_guard.readings.log_odds import log_odds
from collapse_guard.readings.profile import LIMITS
from collapse_guard.readings.rare_ngrams import rare_ngram_positions, rare_ngram_reading
from collapse_guard.readings.rare_words import rare_words
from collapse_guard.readings.strata import strata_readings
from collapse_guard.statistics.estimates import Estimate
from tests.hostile.target import Target
from tests.hostile.targets.made import (
    mix,
    model,
    monitor,
    panel,
    reference,
    started,
    texts,
)
from tests.readings.test_rare_words import HUMAN, bytes_panel, bytes_tokenizer

RULE = Threshold("tail_retention", below=0.9)
READING = Reading(1, {"tail_retention": 0.8}, {"tail_retention": 0.01})


def pairs() -> Any:
    return continuation_pairs([[5, 6], [7]], [1], [2])


def track() -> Track:
    made = Track(panel().fingerprint)
    made.add(0, (-1.0,) * 12, (-1.0,) * 12)
    return made


def targets() -> Iterator[Target]:
    yield Target(
        "CollapseMonitor",
        CollapseMonitor,
        lambda: {
            "panel": panel(),
            "readings": (...,),
            "rules": None,
            "pace": EveryNSteps(1),
            "batch_size": 16,
            "sampling": None,
            "baseline": None,
            "continues": None,
            "control": None,
            "against_base": False,
            "prequential": None,
            "rules_wait": True,
            "across_processes": True,
        },
    )
    yield Target(
        "CollapseMonitor.start",
        lambda **given: monitor().start(**given),
        lambda: {"model": model(), "step": 0, "optimizer": None},
    )
    for name in ("observe", "look"):
        yield Target(
            f"CollapseMonitor.{name}",
            lambda name=name, **given: getattr(started(), name)(**given),
            lambda: {"model": model(), "step": 1, "optimizer": None},
        )
    yield Target(
        "CollapseMonitor.begin",
        lambda baseline: monitor().begin(baseline),
        lambda: {"baseline": started().baseline},
    )
    yield Target("Budget", Budget, lambda: {"overhead": 0.01})
    yield Target("EveryNSteps", EveryNSteps, lambda: {"steps": 5})
    yield Target("FailureGuard", FailureGuard, lambda: {"on_error": "report"})
    yield Target(
        "Threshold",
        Threshold,
        lambda: {
            "reading": "tail_retention",
            "below": 0.9,
            "above": None,
            "relative_to_start": False,
            "patience": 1,
            "severity": "warn",
            "alpha": 0.01,
            "beside": None,
        },
    )
    yield Target(
        "Threshold.is_broken",
        RULE.is_broken,
        lambda: {"reading": READING, "start": READING, "reach": None, "kind": None},
    )
    yield Target("Threshold.limit", RULE.limit, lambda: {"start": {"tail_retention": 1.0}})
    yield Target(
        "Threshold.alert", RULE.alert, lambda: {"reading": READING, "start": READING, "kind": None}
    )
    yield Target("default_rules", default_rules, lambda: {"sampling": False})
    yield Target("control_rules", control_rules, dict)
    yield Target("flattening_rules", flattening_rules, dict)
    yield Target("log_alert", log_alert, lambda: {"alert": RULE.alert(READING, READING)})
    yield Target("Track", Track, lambda: {"panel": panel().fingerprint})
    yield Target(
        "Track.add",
        lambda **given: track().add(**given),
        lambda: {"step": 5, "tail_logprob": (-1.0,) * 12, "head_logprob": (-1.0,) * 12},
    )
    yield Target("Track.at", lambda step: track().at(step), lambda: {"step": 0})
    yield Target(
        "PrequentialReader",
        PrequentialReader,
        lambda: {
            "mix": mix(),
            "reference": reference(),
            "column": "input_ids",
            "memory": 8,
            "start_rows": 8,
            "max_rows": 8,
        },
    )
    yield Target(
        "Reading",
        Reading,
        lambda: {
            "step": 1,
            "values_by_name": {"tail_retention": 0.8},
            "standard_errors": {"tail_retention": 0.01},
            "units": {},
            "influences": {},
            "is_full": True,
        },
    )
    yield Target(
        "Reading.of",
        Reading.of,
        lambda: {
            "step": 1,
            "estimates": {"tail_retention": Estimate(0.8, 0.01, torch.zeros(2).numpy(), 12.0)},
            "is_full": True,
        },
    )
    # A reading is a mapping.
    yield Target(
        "Reading[]", lambda name: READING[name], lambda: {"name": "tail_retention"}, MISSES
    )
    yield Target("Reading.estimate", READING.estimate, lambda: {"name": "tail_retention"}, MISSES)
    yield Target(
        "Reading.interval", READING.interval, lambda: {"name": "tail_retention", "z": 2.0}, MISSES
    )
    yield Target(
        "ReadingKind",
        ReadingKind,
        lambda: {
            "name": "mine",
            "meaning": "what is mine",
            "take": lambda evidence: 0.0,
            "unit": "",
            "bad": "low",
            "on_log_scale": False,
            "cost": "whole panel",
            "start": "any",
            "needs": None,
            "keep_start": None,
            "logs_error": False,
            "agrees": False,
            "of_types": False,
        },
    )
    yield Target(
        "log_odds_reading",
        log_odds_reading,
        lambda: {
            "name": "owl",
            "pairs": pairs(),
            "since_start": False,
            "per_token": False,
            "bad": "either",
            "cost": "whole panel",
        },
    )
    yield Target(
        "log_odds",
        log_odds,
        lambda: {"model": model(), "pairs": pairs(), "per_token": False, "batch_size": 4},
    )
    yield Target(
        "collapse_profile",
        collapse_profile,
        lambda: {
            "history": started().history,
            "start": None,
            "alpha": 0.05,
            "limits": dict(LIMITS),
        },
    )
    yield Target(
        "logprob_readings",
        logprob_readings,
        lambda: {
            "logprobs": [[-1.0] * 30] * 12,
            "token_ids": texts(),
            "reference": reference(),
            "start_logprobs": None,
        },
    )
    yield Target("contextual_reading", contextual_reading, lambda: {"below": 0.01})
    yield Target("frequency_bands", frequency_bands, lambda: {"reference": reference(), "bands": 3})
    yield Target("band_readings", band_readings, lambda: {"bands": frequency_bands(reference(), 3)})
    yield Target("hidden_state_reading", hidden_state_reading, lambda: {"centred": False})
    yield Target(
        "hidden_state_rank",
        hidden_state_rank,
        lambda: {"model": model(), "panel": panel(), "centred": False, "batch_size": 16},
    )
    for function in (rare_ngram_positions, rare_ngram_reading):
        yield Target(
            function.__name__,
            function,
            lambda: {"panel": panel(), "documents": texts(), "n": 3, "max_count": 1},
        )
    yield Target(
        "rare_words",
        rare_words,
        lambda: {
            "panel": bytes_panel(),
            "texts": HUMAN,
            "tokenizer": bytes_tokenizer(),
            "tail_mass": 0.2,
        },
    )
    yield Target(
        "strata_readings", strata_readings, lambda: {"panel": panel(), "labels": ["a", "b"] * 6}
    )
    yield Target(
        "strata_rules", strata_rules, lambda: {"kinds": strata_readings(panel(), list("ab" * 6))}
    )


MISSES = (KeyError, TypeError)
