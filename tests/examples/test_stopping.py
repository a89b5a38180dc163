"""Early stopping along a chain, against the definition."""

import math

import pytest

from collapse_guard.examples.recursive_finetune.results import GenerationResult, LookResult
from collapse_guard.examples.recursive_finetune.stopping import (
    early_stop,
    first_alarm,
    quiet_patience,
)
from tests.examples.results import collapsed_run, generation

CHAIN = ([5.0, 4.0, 4.5, 3.9], [3.9, 4.0], [4.0, 4.1, 3.9, 3.0])


def chain(*losses: list[float]) -> list[GenerationResult]:
    """A look every 8 steps; a generation's first is that of the model which the last one left."""
    return [generation(0), *(generation(g, losses=each) for g, each in enumerate(losses, start=1))]


@pytest.mark.parametrize(("patience", "step"), [(1, 16), (2, 40), (3, 48), (4, None)])
def test_patience_runs_on_over_generations(patience: int, step: int | None) -> None:
    # Steps 0 to 24 are of generation 1, 32 is of 2, 40 to 56 are of 3; the best is at 24, then 56.
    assert early_stop(chain(*CHAIN), patience=patience) == step


def test_the_start_is_the_first_best() -> None:
    assert early_stop(chain([1.0, 1.0]), patience=1) == 8
    assert early_stop(chain([1.0, 0.9]), patience=1) is None


def test_a_loss_that_is_not_a_number_is_no_best() -> None:
    assert early_stop(chain([1.0, math.nan, 0.9, math.nan]), patience=2) is None
    assert early_stop(chain([1.0, math.nan, math.nan]), patience=2) == 16


def test_the_quiet_patience_is_the_smallest() -> None:
    assert early_stop(chain(*CHAIN), patience=quiet_patience(chain(*CHAIN))) is None
    assert quiet_patience(chain(*CHAIN)) == 4
    assert quiet_patience(chain([2.0, 1.0])) == 1


def test_alarms_count_from_the_start() -> None:
    run = collapsed_run(alarm_at=2)
    # 24 steps of generation 1, and 16 of generation 2.
    assert first_alarm(run.regimes["replace"]) == 40
    assert first_alarm(run.regimes["human"]) is None


def test_a_look_keeps_the_loss() -> None:
    reading = generation(1, perplexity=math.e**2, tail=0.8).as_reading()
    assert LookResult.of(reading) == LookResult(1, pytest.approx(2.0), 0.8)
