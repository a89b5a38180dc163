"""The default rules, on looks that the recursive example gave."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collapse_guard import Reading, Threshold, default_rules
from collapse_guard.alerts.alarms import Alarms
from collapse_guard.readings.registry import READINGS

# `python -m collapse_guard.examples.recursive_finetune --seed 0`, looked at every 4 of its 24 steps
# a generation, with `Sampling(num_prompts=8, samples_per_prompt=2)`: values and standard errors by
# step.
RECORDED: dict[str, Any] = json.loads(
    Path(__file__).with_name("recorded_looks.json").read_text(encoding="utf-8")
)
NAMES: list[str] = RECORDED["names"]
GENERATION = 24


def reading(step: int, values: Sequence[float], errors: Sequence[float]) -> Reading:
    by_name, error, units = (
        dict(zip(NAMES, of, strict=True)) for of in (values, errors, RECORDED["units"])
    )
    # Head retention was not recorded: it is the tail's with the gap, and told no better than it.
    by_name["head_retention"] = by_name["tail_retention"] * math.exp(by_name["tail_gap"])
    error["head_retention"] = error["tail_retention"]
    units["head_retention"] = units["tail_retention"]
    # Nor were readings against human text: as if the start had written as people do.
    for name in ("free_distinct_2", "free_rep_n_diversity"):
        start = RECORDED["start"][0][NAMES.index(name)]
        by_name[f"{name}_vs_human"] = by_name[name] / start
        error[f"{name}_vs_human"] = error[name] / start
        units[f"{name}_vs_human"] = units[name]
    return Reading(step, by_name, error, units)


LESS_VARIED, REPETITIVE = map(str, default_rules(sampling=True)[-2:])
START = reading(0, *RECORDED["start"])


def first_alerts(regime: str, rules: Sequence[Threshold]) -> dict[str, int]:
    """The step at which each rule first fires, by its reading."""
    alarms = Alarms(rules, [READINGS[name] for name in START])
    for look in RECORDED[regime]:
        alarms.check(reading(*look), START)
    return {alert.rule: alert.step for alert in reversed(alarms.alerts)}


def test_on_its_own_text_they_fire_in_the_first_generation() -> None:
    fired = first_alerts("replace", default_rules())
    # It wins in the head at first: what it loses there comes later.
    late = fired.pop("head_retention below 0.85", None)
    assert set(fired) == {str(rule) for rule in default_rules()} - {"head_retention below 0.85"}
    assert max(fired.values()) <= GENERATION
    assert late is None or late > 2 * GENERATION
    # A quarter of the generation is enough for the first.
    assert fired["tail_retention below 0.85"] <= GENERATION // 4


def test_the_text_that_it_writes_tells_it_later() -> None:
    fired = first_alerts("replace", default_rules(sampling=True))
    assert GENERATION < fired[LESS_VARIED] <= 2 * GENERATION
    assert 2 * GENERATION < fired[REPETITIVE] <= 3 * GENERATION


def test_it_tells_also_where_human_rows_have_stopped_the_loss() -> None:
    at_the_ends = [
        values[NAMES.index("tail_retention")]
        for step, values, _ in RECORDED["mixguard"]
        if step % GENERATION == 0
    ]
    assert at_the_ends[2:] == sorted(at_the_ends[2:])
    fired = first_alerts("mixguard", default_rules(sampling=True))
    assert 2 * GENERATION < fired[LESS_VARIED] <= 3 * GENERATION
    assert 4 * GENERATION < fired[REPETITIVE] <= 5 * GENERATION


@pytest.mark.parametrize("rule", default_rules(sampling=True), ids=str)
def test_on_human_text_they_are_not_even_near(rule: Threshold) -> None:
    """Half of the way to the limit, and with no allowance for chance, nothing fires either."""
    healthy = 0.0 if rule.reading == "tail_gap" else 1.0
    side = "below" if rule.below is not None else "above"
    limit = rule.below if rule.below is not None else rule.above
    assert limit is not None
    nearer = replace(rule, **{side: (healthy + limit) / 2}, alpha=None, beside=None)
    # A head that gains a little is ordinary training: that rule stands beside a tail that has lost.
    if rule.reading != "head_retention" or rule.beside is None:
        assert first_alerts("human", [nearer]) == {}
    # Text drawn at a temperature below 1 takes the tail, and the head not within these generations.
    if str(rule) != "head_retention below 0.85":
        assert first_alerts("replace", [nearer]) != {}
