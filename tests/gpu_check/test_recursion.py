"""The chains go on for as long as there is time, and are judged by their last generation."""

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from collapse_guard.examples.recursive_finetune.results import GenerationResult
from tests.gpu_check import recursion
from tests.gpu_check.checks import Findings, Place

KEPT = {"replace": 0.85, "guarded": 0.99}
"""Of the tail, in each generation."""


def result(regime: str, generation: int) -> GenerationResult:
    readings = dict.fromkeys(("head_retention", "perplexity"), 1.0)
    readings["tail_retention"] = KEPT[regime] ** generation
    return GenerationResult(
        generation, readings, dict.fromkeys(readings, math.nan), 0.5, [], 0.0, []
    )


class Chains:
    """What takes a laboratory's place."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def run_chain(self, regime: str) -> Iterator[list[GenerationResult]]:
        yield [result(regime, 0)]
        for generation in (1, 2, 3):
            time.sleep(self.seconds)
            yield [result(regime, each) for each in range(generation + 1)]


def found(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, seconds: float, left: float = 60.0
) -> Findings:
    """With so many seconds for each generation of a chain, and so many left."""
    monkeypatch.setattr(recursion, "_laboratory", lambda settings: (Chains(seconds), {}))
    noted: list[Mapping[str, Any]] = []
    findings = recursion.generations(Place(folder, time.monotonic() + left, note=noted.append))
    assert noted[-1]["generations"] == findings.figures["generations"]
    return findings


def test_with_time_there_are_three_generations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = found(tmp_path, monkeypatch, seconds=0.0)
    numbers = [row["generation"] for row in findings.figures["generations"]]
    assert numbers == [0, 1, 1, 2, 2, 3, 3]
    assert "cut short" not in findings.figures
    assert list(findings.conditions.values()) == [True, True]


def test_without_it_there_are_fewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # After one generation 1.2 of 2 seconds are left, for one that took 0.8, which is too few.
    findings = found(tmp_path, monkeypatch, seconds=0.41, left=2.0)
    numbers = [row["generation"] for row in findings.figures["generations"]]
    assert numbers == [0, 1, 1]
    assert "generation 1" in findings.figures["cut short"]
    # By then nothing has collapsed.
    assert list(findings.conditions.values()) == [False, True]


def test_a_model_that_lost_its_tail_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KEPT, "guarded", 0.95)
    findings = found(tmp_path, monkeypatch, seconds=0.0)
    assert list(findings.conditions.values()) == [True, False]
