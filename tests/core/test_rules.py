import logging
import math

import pytest

from collapse_guard import ArgumentError, Reading, Threshold, default_rules, log_alert
from collapse_guard.readings import READINGS

START = dict.fromkeys(READINGS, 1.0) | {"effective_vocabulary": 600.0}


def reading(name: str, value: float, error: float) -> Reading:
    return Reading(7, {name: value}, {name: error})


@pytest.mark.parametrize(
    ("value", "error", "broken"),
    [(0.80, 0.01, True), (0.84, 0.01, False), (0.90, 0.01, False), (0.84, math.nan, True)],
)
def test_fires_only_when_the_whole_interval_is_past(
    value: float, error: float, broken: bool
) -> None:
    rule = Threshold("tail_retention", below=0.85, confidence=0.99)
    assert rule.is_broken(reading("tail_retention", value, error), START) is broken
    mirrored = Threshold("tail_retention", above=-0.85, confidence=0.99)
    assert mirrored.is_broken(reading("tail_retention", -value, error), START) is broken


def test_the_interval_is_the_normal_one() -> None:
    # 0.85 - 1.96 * 0.05 = 0.752
    rule = Threshold("tail_retention", below=0.85, confidence=0.95)
    assert rule.is_broken(reading("tail_retention", 0.7519, 0.05), START)
    assert not rule.is_broken(reading("tail_retention", 0.7521, 0.05), START)


def test_limits_relative_to_the_start() -> None:
    rule = Threshold("effective_vocabulary", below=0.8, relative_to_start=True)
    assert rule.limit(START) == 480
    assert rule.is_broken(reading("effective_vocabulary", 470, 1), START)
    assert not rule.is_broken(reading("effective_vocabulary", 490, 1), START)


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


def test_default_rules_have_names_of_their_own() -> None:
    assert len({str(rule) for rule in default_rules()}) == len(default_rules()) > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reading": "loss", "below": 1.0}, "`reading` expected one of"),
        ({"reading": "perplexity"}, "exactly one limit"),
        ({"reading": "perplexity", "below": 1.0, "above": 2.0}, "exactly one limit"),
        ({"reading": "perplexity", "below": 1.0, "patience": 0}, "`patience`"),
        ({"reading": "perplexity", "below": 1.0, "severity": "bad"}, "`severity`"),
        ({"reading": "perplexity", "below": 1.0, "confidence": 1.0}, "`confidence`"),
    ],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Threshold(**arguments)
