import logging
import math
import sys
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pytest

from collapse_guard import (
    Alert,
    ArgumentError,
    Reading,
    ReadingKind,
    Threshold,
    default_rules,
    log_alert,
)
from collapse_guard.statistics.confidence_sequence import half_width
from collapse_guard.statistics.estimates import Estimate, document_mean, exponential
from collapse_guard.statistics.json_forms import Part
from tests.looks import ON_HUMAN_TEXT

START = Reading(0, dict.fromkeys(ON_HUMAN_TEXT, 1.0) | {"effective_vocabulary": 600.0}, {})


def reading(name: str, value: float, error: float) -> Reading:
    return Reading(7, {name: value}, {name: error})


def reach_of(standard_errors: float) -> Callable[[Estimate], float]:
    return lambda past: standard_errors


@pytest.mark.parametrize(
    ("value", "error", "broken"),
    [(0.80, 0.01, True), (0.84, 0.01, False), (0.90, 0.01, False), (0.10, math.nan, False)],
)
def test_fires_only_when_the_whole_interval_is_past(
    value: float, error: float, broken: bool
) -> None:
    rule = Threshold("tail_retention", below=0.85)
    assert rule.is_broken(reading("tail_retention", value, error), START) is broken
    mirrored = Threshold("tail_gap", above=-0.85)
    assert mirrored.is_broken(reading("tail_gap", -value, error), START) is broken


def test_without_alpha_the_value_itself_is_compared() -> None:
    rule = Threshold("tail_retention", below=0.85, alpha=None)
    assert rule.is_broken(reading("tail_retention", 0.849, 0.5), START)
    assert not rule.is_broken(reading("tail_retention", 0.851, 0.0), START)


def test_a_look_by_itself_is_a_first_one() -> None:
    rule = Threshold("tail_gap", below=0.85, alpha=0.05)
    reach = half_width(0.05, math.inf, alpha=0.05, look=1)
    for value, broken in ((0.85 - 1.001 * reach, True), (0.85 - 0.999 * reach, False)):
        assert rule.is_broken(reading("tail_gap", value, 0.05), START) is broken


def test_what_is_chance_is_counted_in_standard_errors() -> None:
    rule, seen = Threshold("tail_gap", below=0.85), reading("tail_gap", 0.80, 0.01)
    broken = [rule.is_broken(seen, START, reach=reach_of(reach)) for reach in (0.0, 4.9, 5.1)]
    assert broken == [True, True, False]


@pytest.mark.parametrize("reach", [0.0, 3.0, math.inf])
def test_an_exact_value_past_its_limit_leaves_no_doubt(reach: float) -> None:
    rule, exact = Threshold("tail_gap", below=0.85), reading("tail_gap", 0.849, 0.0)
    assert rule.is_broken(exact, START, reach=reach_of(reach))


def test_ratios_are_compared_on_their_logarithm() -> None:
    # 0.5 loses as much as 2.0 gains, and both have the error that a tenth of them is.
    lost, won = (reading("tail_retention", value, value / 10) for value in (0.5, 2.0))
    for limit in (1.5, 1.6):
        below = Threshold("tail_retention", below=1 / limit)
        above = Threshold("tail_retention", above=limit)
        assert below.is_broken(lost, START) is above.is_broken(won, START)
    assert Threshold("tail_retention", above=1.5).is_broken(won, START)
    assert not Threshold("tail_retention", above=1.6).is_broken(won, START)


@pytest.mark.parametrize(
    ("limits", "value", "past"),
    [
        ({"below": 0.85}, 0.5, math.log(0.85 / 0.5)),
        ({"above": 1.25}, 2.0, math.log(2.0 / 1.25)),
        ({"above": 1.25}, 1.0, math.log(1.0 / 1.25)),
        # What has no logarithm is compared as it is.
        ({"below": 0.85}, 0.0, 0.85),
        ({"above": 1.25}, math.inf, math.inf),
        ({"below": 0.85}, math.inf, -math.inf),
    ],
)
def test_how_far_a_reading_is_past_its_limit(
    limits: dict[str, float], value: float, past: float
) -> None:
    rule = Threshold("tail_retention", **limits)
    found = rule.past(reading("tail_retention", value, 0.0), START)
    assert found.value == pytest.approx(past, rel=1e-12)


def test_a_start_of_0_is_compared_as_it_is() -> None:
    rule = Threshold("effective_vocabulary", above=2.0, relative_to_start=True)
    name = "effective_vocabulary"
    assert rule.past(reading(name, 3.0, 0.0), reading(name, 0.0, 0.0)).value == 3.0


@pytest.mark.parametrize("alpha", [None, 0.01])
def test_at_its_limit_a_rule_holds(alpha: float | None) -> None:
    rule = Threshold("perplexity", above=9.0, alpha=alpha)
    assert not rule.is_broken(reading("perplexity", 9.0, 0.0), START)


def test_a_rule_says_its_side() -> None:
    assert str(Threshold("perplexity", above=9.0)) == "perplexity above 9.0"
    assert str(Threshold("perplexity", below=9.0)) == "perplexity below 9.0"


def test_limits_relative_to_the_start() -> None:
    rule = Threshold("effective_vocabulary", below=0.8, relative_to_start=True)
    assert rule.limit(START) == 480
    start = Reading(0, dict(START), dict.fromkeys(ON_HUMAN_TEXT, 0.0))
    assert rule.is_broken(reading("effective_vocabulary", 450, 1), start)
    assert not rule.is_broken(reading("effective_vocabulary", 490, 1), start)
    # A reading that starts below zero keeps its direction.
    falls = Threshold("tail_logprob", below=1.2, relative_to_start=True, alpha=None)
    negative = Reading(0, {"tail_logprob": -8.0}, {"tail_logprob": 0.1})
    assert falls.is_broken(reading("tail_logprob", -9.7, 0.1), negative)
    assert not falls.is_broken(reading("tail_logprob", -9.5, 0.1), negative)


def test_what_a_start_does_not_have_has_no_multiple() -> None:
    kind = ReadingKind("owl", "log-odds", lambda evidence: 0.0, start="none")
    Threshold("owl", above=0.5).check_kind(kind)
    with pytest.raises(ArgumentError, match="which a start does not have"):
        Threshold("owl", above=0.5, relative_to_start=True).check_kind(kind)


def test_what_may_start_on_either_side_of_0_has_no_multiple() -> None:
    kind = ReadingKind("owl", "log-odds", lambda evidence: 0.0, start="either side")
    Threshold("owl", above=0.5).check_kind(kind)
    for limit in ({"above": 1.2}, {"below": 0.8}):
        rule = Threshold("owl", relative_to_start=True, **limit)
        with pytest.raises(ArgumentError, match="on either side of 0"):
            rule.check_kind(kind)


def test_what_documents_share_with_their_start_cancels() -> None:
    random = np.random.default_rng(0)
    levels = random.normal(6.0, 1.0, 200)
    name = "effective_vocabulary"
    start = Reading.of(0, {name: exponential(document_mean(levels))})
    lost = levels - 0.4 + random.normal(0.0, 0.1, 200)
    now = Reading.of(1, {name: exponential(document_mean(lost))})
    rule = Threshold(name, below=0.8, relative_to_start=True)
    assert rule.is_broken(now, start, reach=reach_of(5.0))
    # Without the documents the two errors would hide it.
    unpaired = Reading(1, dict(now), dict(now.standard_errors))
    assert not rule.is_broken(unpaired, start, reach=reach_of(5.0))


def test_a_reading_that_is_not_a_number_breaks_nothing() -> None:
    for rule in (Threshold("perplexity", below=9), Threshold("perplexity", above=9)):
        assert not rule.is_broken(reading("perplexity", math.nan, math.nan), START)


def test_alerts_say_what_happened(caplog: pytest.LogCaptureFixture) -> None:
    rule = Threshold("tail_retention", below=0.85, severity="critical")
    alert = rule.alert(reading("tail_retention", 0.7, 0.02), START)
    assert (alert.rule, alert.limit, alert.step) == ("tail_retention below 0.85", 0.85, 7)
    with caplog.at_level(logging.INFO, "collapse_guard"):
        log_alert(alert)
    assert caplog.records[0].levelno == logging.ERROR
    assert "tail_retention is 0.7 ± 0.02 at step 7, below its limit of 0.85" in caplog.text


@pytest.mark.parametrize("sampling", [False, True])
def test_default_rules_have_names_of_their_own(sampling: bool) -> None:
    rules = default_rules(sampling=sampling)
    assert len({str(rule) for rule in rules}) == len(rules) > 0
    assert any(rule.reading.startswith("free_") for rule in rules) is sampling


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reading": "the loss", "below": 1.0}, "`reading` expected one of"),
        ({"reading": "perplexity"}, "exactly one limit"),
        ({"reading": "perplexity", "below": 1.0, "above": 2.0}, "exactly one limit"),
        ({"reading": "perplexity", "below": math.nan}, "`below` expected"),
        ({"reading": "perplexity", "above": math.nan}, "`above` expected"),
        ({"reading": "perplexity", "below": 1.0, "patience": 0}, "`patience`"),
        ({"reading": "perplexity", "below": 1.0, "relative_to_start": 1}, "`relative_to_start`"),
        ({"reading": "perplexity", "below": 1.0, "beside": "perplexity"}, "`beside`"),
        ({"reading": "tail_gap", "above": 2.0, "relative_to_start": True}, "at 0 or below"),
        ({"reading": "tail_logprob", "below": 1.0, "relative_to_start": True}, "at 0 or below"),
        ({"reading": "tail_logprob", "above": 1.0, "relative_to_start": True}, "at 0 or below"),
        ({"reading": "perplexity", "below": 1.0, "severity": "bad"}, "`severity`"),
        ({"reading": "perplexity", "below": 1.0, "alpha": 1.0}, "`alpha`"),
    ],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Threshold(**arguments)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"reading": {"perplexity": 3.0}}, "reading"),
        ({"start": {"perplexity": 3.0}}, "start"),
        ({"kind": "perplexity"}, "kind"),
        ({"reach": 3.0}, "reach"),
        ({"reach": lambda past: "far"}, "reach"),
    ],
)
def test_what_no_look_can_be_held_by_is_named(changed: dict[str, object], named: str) -> None:
    rule, seen = Threshold("perplexity", above=9.0), reading("perplexity", 12.0, 0.1)
    with pytest.raises(ArgumentError, match=rf"argument `{named}` expected .* got (?!None)"):
        rule.is_broken(**{"reading": seen, "start": START, **changed})


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"reading": {"perplexity": 3.0}}, "reading"),
        ({"start": [3.0]}, "start"),
        ({"kind": "perplexity"}, "kind"),
    ],
)
def test_what_no_alert_can_tell_is_named(changed: dict[str, object], named: str) -> None:
    rule, seen = Threshold("perplexity", above=9.0), reading("perplexity", 12.0, 0.1)
    with pytest.raises(ArgumentError, match=rf"argument `{named}` expected .* got (?!None)"):
        rule.alert(**{"reading": seen, "start": START, **changed})


def test_of_a_start_below_0_smaller_multiples_are_higher_and_may_be_limits() -> None:
    rule = Threshold("tail_logprob", above=0.8, relative_to_start=True, alpha=None)
    start = reading("tail_logprob", -10.0, 0.1)
    assert rule.is_broken(reading("tail_logprob", -7.9, 0.1), start)
    assert not rule.is_broken(reading("tail_logprob", -8.1, 0.1), start)


ALERT = {
    "rule": "perplexity above 9",
    "reading": "perplexity",
    "message": "perplexity is 12",
    "value": 12.0,
    "limit": 9.0,
    "standard_error": 0.1,
    "step": 7,
    "severity": "warn",
}
FAR = sys.float_info.max


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"value": math.inf, "limit": -math.inf, "standard_error": math.nan},
        {"value": FAR, "limit": -FAR, "standard_error": math.inf},
        {"value": -FAR, "limit": FAR, "severity": "info"},
        {"cause": "own text", "explanation": "it was told so", "severity": "critical"},
    ],
)
def test_an_alert_comes_back_from_its_fields(changed: dict[str, object]) -> None:
    given = {**ALERT, **changed}
    alert = Alert.from_part(Part("alert", given, "leave it out"))
    told = {name: value for name, value in asdict(alert).items() if name in given}
    assert repr(told) == repr({name: given[name] for name in told})
    assert set(told) == set(given)


@pytest.mark.parametrize(
    "changed",
    [
        {"value": math.nan},
        {"limit": math.nan},
        {"value": 10**400},
        {"limit": -(10**400)},
        {"standard_error": 10**400},
        {"severity": "bad"},
        {"step": -1},
        {"cause": 3},
    ],
)
def test_what_no_alert_can_be_is_refused(changed: dict[str, object]) -> None:
    (name,) = changed
    with pytest.raises(ArgumentError, match=name):
        Alert.from_part(Part("alert", {**ALERT, **changed}, "leave it out"))


def test_an_alert_tells_side_start_and_meaning() -> None:
    rule = Threshold("perplexity", above=1.2, relative_to_start=True)
    start = {"perplexity": 8.0}
    alert = rule.alert(reading("perplexity", 12.0, 0.1), start)
    assert alert.limit == pytest.approx(9.6)
    assert alert.message.startswith(
        "perplexity is 12 ± 0.1 at step 7, above its limit of 9.6 (it started at 8). It is the "
    )
    unknown = Threshold("owl", above=1.0).alert(reading("owl", 12.0, 0.1), {})
    assert unknown.message == "owl is 12 ± 0.1 at step 7, above its limit of 1."
