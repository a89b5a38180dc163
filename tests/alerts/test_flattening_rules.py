"""Rules for models that become flatter, on looks at runs that were told a wrong temperature."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from collapse_guard import Reading, Threshold, default_rules
from collapse_guard.alerts.alarms import Alarms
from collapse_guard.alerts.flattening_rules import flattening_rules
from collapse_guard.readings.registry import READINGS
from tests.batched_readings import ALPHA, NEVER, first_alarms, read_runs
from tests.simulated_runs import GRADUAL, LOOKS, ONSET, Truth, steady

# Five generations of 24 steps of the recursive example (laptop preset, seed 0), looked at every 4
# steps: values and standard errors by step. Rows were drawn at 0.8 and trained on with the
# sampler-matched loss told 0.7 or the truth, without human rows or with 31% of them; or drawn at 1
# and trained on with plain cross-entropy, without human rows.
RECORDED: dict[str, Any] = json.loads(
    Path(__file__).with_name("recorded_flattening.json").read_text(encoding="utf-8")
)
NAMES: list[str] = RECORDED["names"]
GENERATION = 24
FLATTENED = ("told 0.7", "told 0.7, 31% human")
HEALTHY = ("told 0.8", "told 0.8, 31% human", "drawn at 1")


def reading(step: int, values: list[float], errors: list[float]) -> Reading:
    units = dict(zip(NAMES, RECORDED["units"], strict=True))
    by_name = [dict(zip(NAMES, numbers, strict=True)) for numbers in (values, errors)]
    return Reading(step, by_name[0], by_name[1], units)


def first_alerts(run: str, rules: tuple[Threshold, ...]) -> dict[str, int]:
    """The step at which each rule first fires, by its reading."""
    alarms = Alarms(rules, [READINGS[name] for name in NAMES])
    start = reading(0, *RECORDED["start"])
    for look in RECORDED[run]:
        alarms.check(reading(*look), start)
    return {alert.reading: alert.step for alert in reversed(alarms.alerts)}


def mirrored(rule: Threshold) -> tuple[str, float | None, float | None]:
    """A rule's reading and limits, as those of the rule that it mirrors."""
    if rule.reading == "tail_gap":
        return "tail_gap", None, -(rule.below or math.nan)
    return rule.reading, 1 / (rule.above or math.nan), None


def test_limits_are_those_of_the_default_rules_on_the_other_side() -> None:
    theirs = {(rule.reading, rule.below, rule.above) for rule in default_rules()}
    assert {mirrored(rule) for rule in flattening_rules()} <= theirs
    # Both together are what a monitor takes.
    rules = (*default_rules(sampling=True), *flattening_rules())
    assert len(Alarms(rules, READINGS.values()).rules) == len(rules)


@pytest.mark.parametrize("run", FLATTENED)
def test_a_temperature_that_is_set_too_low_is_seen(run: str) -> None:
    fired = first_alerts(run, flattening_rules())
    assert set(fired) == {rule.reading for rule in flattening_rules()}
    assert fired["tail_gap"] == min(fired.values()) <= 2 * GENERATION
    assert max(fired.values()) <= 3 * GENERATION
    # A head that has lost is told by default, later.
    late = first_alerts(run, default_rules())
    assert set(late) == {"head_retention"}
    assert late["head_retention"] > fired["tail_gap"]


def test_without_human_rows_one_generation_is_enough() -> None:
    assert first_alerts("told 0.7", flattening_rules())["tail_gap"] <= GENERATION


@pytest.mark.parametrize("run", HEALTHY)
@pytest.mark.parametrize("rule", flattening_rules(), ids=str)
def test_matched_runs_are_not_even_near(run: str, rule: Threshold) -> None:
    """Half of the way to the limit, and with no allowance for chance, nothing fires either."""
    healthy = 0.0 if rule.reading == "tail_gap" else 1.0
    side = "below" if rule.below is not None else "above"
    limit = rule.below if rule.below is not None else rule.above
    assert limit is not None
    nearer = replace(rule, **{side: (healthy + limit) / 2}, alpha=None)
    assert first_alerts(run, (nearer,)) == {}
    assert first_alerts(FLATTENED[0], (nearer,)) != {}


GAP = Threshold("tail_gap", below=-0.20, alpha=ALPHA)


def flattening(tail: float, head: float) -> Truth:
    """What a tail gains and a head loses after `ONSET`, as factors."""
    still = steady()
    grown = np.clip((np.arange(1, LOOKS + 1) - ONSET) / GRADUAL, 0, 1)
    return Truth(math.log(tail) * grown, math.log(head) * grown, still.torso)


@pytest.mark.slow
def test_simulated_runs_are_told_apart() -> None:
    assert GAP.below == flattening_rules()[0].below
    ill = read_runs(flattening(1.35, 0.74), runs=20).readings
    stops = first_alarms(ill["tail_gap"], GAP)
    assert np.mean((stops > ONSET) & (stops < NEVER)) > 0.98
    for rule in default_rules():
        if rule.reading in ill and rule.beside is None:
            assert (first_alarms(ill[rule.reading], rule) == NEVER).all()
    for truth in (steady(), steady(tail=0.20, head=0.0)):
        healthy = read_runs(truth, runs=250, names=["tail_gap"]).readings
        alarms = first_alarms(healthy["tail_gap"], GAP)
        assert np.sum(alarms < NEVER) <= stats.binom.ppf(0.999, 250, ALPHA)
