"""A run's profile: systems of which it is known what has happened, and how often it errs."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard import ArgumentError, CollapseMonitor, EveryNSteps, Reading, Sampling
from collapse_guard.readings.profile import LIMITS, collapse_profile
from collapse_guard.statistics.estimates import document_mean, exponential
from tests.tiny import perturb, tiny_gpt2, tiny_panel

NAMES = (
    *("risk", "catastrophic risk", "diverging risk", "variance"),
    *("tail", "modes", "scaling law", "hallucinated data"),
)
HEALTHY = {
    "perplexity": 100.0,
    "effective_vocabulary": 600.0,
    "tail_retention": 1.0,
    "free_distinct_2": 0.5,
}


def reading(step: int, error: float = 0.001, **changed: float) -> Reading:
    values = HEALTHY | changed
    return Reading(step, values, {name: error * value for name, value in values.items()})


def verdicts(*readings: Reading, **given: Any) -> dict[str, str]:
    profile = collapse_profile(readings, **given)
    assert tuple(each.name for each in profile.findings) == NAMES
    return {each.name: each.verdict for each in profile.findings}


def test_a_tail_that_goes_alone_is_no_rise_of_risk() -> None:
    found = verdicts(reading(0), reading(9, tail_retention=0.6, perplexity=97.0))
    assert found["tail"] == "happened"
    for name in ("risk", "catastrophic risk", "variance", "modes"):
        assert found[name] == "did not happen"


@pytest.mark.parametrize(
    ("changed", "happened"),
    [
        ({"perplexity": 120.0}, {"risk"}),
        ({"perplexity": 230.0}, {"risk", "catastrophic risk"}),
        ({"effective_vocabulary": 300.0}, {"variance"}),
        ({"free_distinct_2": 0.2}, {"modes"}),
    ],
)
def test_each_meaning_is_judged_by_its_own_reading(
    changed: dict[str, float], happened: set[str]
) -> None:
    profile = collapse_profile([reading(0), reading(9, **changed)])
    assert set(profile.happened) == happened


def test_what_the_interval_holds_is_not_told_apart() -> None:
    found = verdicts(reading(0), reading(9, error=0.05, tail_retention=0.84, perplexity=103.0))
    assert (found["tail"], found["risk"]) == ("not told apart", "not told apart")


def test_a_rise_that_goes_on_is_told_from_one_that_ended() -> None:
    def run(*perplexities: float) -> str:
        looks = [reading(step, perplexity=p) for step, p in enumerate((100.0, *perplexities))]
        return verdicts(*looks)["diverging risk"]

    assert run(110.0, 120.0, 130.0, 140.0) == "happened"
    assert run(120.0, 130.0, 130.0, 125.0) == "did not happen"
    assert run(110.0, 120.0, 130.0) == "cannot be judged"
    assert run(120.0, 130.0, 130.0, 130.0) == "not told apart"


def test_what_nothing_judges_is_said_with_what_to_do() -> None:
    profile = collapse_profile([reading(0), reading(9)])
    for name in ("scaling law", "hallucinated data"):
        assert profile[name].verdict == "cannot be judged"
        assert profile[name].reason
        assert profile[name].reason in str(profile)


@pytest.mark.parametrize("value", [None, math.nan])
def test_what_was_not_read_is_not_judged(value: float | None) -> None:
    values, errors = dict(HEALTHY), dict.fromkeys(HEALTHY, 0.01)
    if value is None:
        del values["free_distinct_2"]
    else:
        errors["free_distinct_2"] = value
    one = Reading(0, values, errors)
    finding = collapse_profile([one, Reading(9, values, errors)])["modes"]
    assert finding.verdict == "cannot be judged"
    assert "sampling=" in finding.reason
    assert math.isnan(finding.value)


def test_looks_at_a_part_do_not_count() -> None:
    part = Reading(12, {"tail_retention": 0.1}, {"tail_retention": 0.01}, is_full=False)
    assert collapse_profile([reading(0), reading(9), part]).step == 9
    with pytest.raises(ArgumentError, match="`history` expected at least one reading of the whole"):
        collapse_profile([part])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"alpha": 0.0}, "`alpha` expected a probability"),
        ({"alpha": math.nan}, "`alpha` expected a probability"),
        ({"limits": {"tail": 0.9}}, "`limits` expected a number above 0 for each of risk"),
        ({"limits": {**LIMITS, "tail": -1.0}}, "`limits` expected a number above 0"),
    ],
)
def test_bad_arguments_are_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        collapse_profile([reading(0), reading(1)], **changed)


def test_a_limit_of_ones_own_is_held() -> None:
    found = verdicts(reading(0), reading(9, tail_retention=0.95), limits={**LIMITS, "tail": 0.98})
    assert found["tail"] == "happened"


@given(st.floats(0.3, 1.5), st.floats(0.001, 0.2), st.floats(0.0, 0.5))
def test_a_lower_tail_is_never_judged_better(tail: float, error: float, lower: float) -> None:
    order = ("did not happen", "not told apart", "happened")
    one, other = (
        verdicts(reading(0), reading(9, error=error, tail_retention=value))["tail"]
        for value in (tail, tail * (1 - lower))
    )
    assert order.index(one) <= order.index(other)


def test_a_few_documents_that_agree_in_nothing_tell_nothing_apart() -> None:
    # Their interval reaches past what a float holds.
    found = collapse_profile([reading(0), reading(9, error=1e4)])
    tail = next(each for each in found.findings if each.name == "tail")
    assert tail.verdict == "not told apart"
    assert tail.interval == (0.0, math.inf)
    assert found.to_dict()["findings"][4]["interval"] == [0.0, None]


def test_it_goes_through_json() -> None:
    profile = collapse_profile([reading(0), reading(9, tail_retention=0.5)])
    content = json.loads(json.dumps(profile.to_dict(), allow_nan=False))
    assert content["format"] == 1
    tail = next(each for each in content["findings"] if each["name"] == "tail")
    assert (tail["verdict"], tail["limit"]) == ("happened", 0.85)
    low, high = tail["interval"]
    assert tail["value"] == pytest.approx(0.5)
    assert low < 0.5 < high


def test_pairing_sees_what_two_errors_hide() -> None:
    """Documents that differ widely and all move by 2%: the difference is sure."""
    generator = np.random.default_rng(0)
    level = generator.normal(4.6, 0.5, size=50)
    readings = [
        Reading.of(step, {"perplexity": exponential(document_mean(level + moved))})
        for step, moved in ((0, 0.0), (9, 0.02 + generator.normal(0, 0.002, 50)))
    ]
    assert collapse_profile(readings)["risk"].verdict == "happened"
    bare = [Reading(each.step, dict(each), dict(each.standard_errors)) for each in readings]
    assert collapse_profile(bare)["risk"].verdict == "not told apart"


def test_healthy_runs_are_seldom_called_collapsed() -> None:
    """At the very edge of every limit, the worst case: 2,000 runs of 20 documents, joint alpha 5%.

    A binomial of 2,000 at .05 lies below .066 but for 1 in 1,000.
    """
    generator, runs, wrong = np.random.default_rng(1), 2_000, 0
    edges = {
        "perplexity": 0.0,
        "effective_vocabulary": math.log(0.8),
        "free_distinct_2": math.log(0.8),
        "tail_retention": math.log(0.85),
    }
    for _ in range(runs):
        looks = []
        for step in range(6):
            estimates = {
                name: exponential(document_mean(generator.normal(edge * (step > 0), 0.2, 20)))
                for name, edge in edges.items()
            }
            looks.append(Reading.of(step, estimates))
        wrong += bool(collapse_profile(looks).happened)
    assert wrong / runs < 0.066


def test_a_monitors_history_is_judged_as_it_is() -> None:
    sampling = Sampling(num_free=6, num_prompts=2, samples_per_prompt=2, length=12)
    monitor = CollapseMonitor(tiny_panel(), rules=(), pace=EveryNSteps(1), sampling=sampling)
    model = tiny_gpt2()
    monitor.start(model)
    perturb(model, 0.5)
    monitor.look(model, 1)
    assert monitor.baseline is not None
    profile = collapse_profile(monitor.history, monitor.baseline.readings)
    assert profile["risk"].verdict == "happened"
    assert profile["diverging risk"].verdict == "cannot be judged"
    for name in ("variance", "tail", "modes"):
        assert profile[name].verdict != "cannot be judged"
