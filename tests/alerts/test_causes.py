"""Causes are told on looks at real runs, each led astray in one known way (`tests.cause_study`)."""

import json
import math
from pathlib import Path

import pytest

from collapse_guard.alerts.causes import likely_cause

RECORDED = json.loads((Path(__file__).parent / "recorded_causes.json").read_text(encoding="utf-8"))
KNOWN = {
    "fresh human text": {"adaptation", "not told apart"},
    "its own text, drawn at T .8": {"narrowing"},
    "its own text, drawn with top-k 20": {"narrowing"},
    "the same 24 human rows": {"forgetting"},
    # Source code is easier to predict than prose, and the model no less sure of itself.
    "another kind of human text": {"domain shift", "forgetting"},
    "its own text of T .8, told to be of T .6": {"flattening"},
    "its own text, drawn at T 1, few rows": {"forgetting"},
}
START = {
    "tail_retention": 1.0,
    "head_retention": 1.0,
    "predictive_entropy": 3.63,
    "effective_vocabulary": 444.0,
    "perplexity": 67.0,
    "free_distinct_2": 0.746,
}


def looks_of(way: str) -> list[dict[str, float]]:
    return [
        dict(zip(RECORDED["names"], look["values"], strict=True)) for look in RECORDED["looks"][way]
    ]


@pytest.mark.parametrize("way", KNOWN)
def test_the_last_look_at_a_run_tells_what_was_done_to_it(way: str) -> None:
    start, *_, last = looks_of(way)
    assert likely_cause(last, start).name in KNOWN[way]


@pytest.mark.parametrize("way", KNOWN)
def test_no_look_after_an_alert_tells_of_something_else(way: str) -> None:
    start, *looks = looks_of(way)
    fired = False
    for look, recorded in zip(looks, RECORDED["looks"][way][1:], strict=True):
        fired = fired or bool(recorded["alerts"])
        if fired:
            assert likely_cause(look, start).name in {*KNOWN[way], "not told apart"}


def test_every_way_is_recorded_and_all_but_the_healthy_one_raise_alerts() -> None:
    assert RECORDED["looks"].keys() == KNOWN.keys()
    for way, looks in RECORDED["looks"].items():
        assert any(look["alerts"] for look in looks) is (way != "fresh human text")


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        # As others measured them, on WikiText articles and a model of 0.65M parameters.
        ((0.90, 1.13, 3.77, 431, 61.0, 0.76), "adaptation"),
        ((0.33, 0.61, 3.60, 407, 130.0, 0.66), "forgetting"),
        ((0.53, 1.05, 3.11, 305, 75.0, 0.56), "narrowing"),
        ((0.77, 0.33, 4.91, 638, 160.0, 0.86), "domain shift"),
    ],
)
def test_figures_of_another_model_are_told_alike(values: tuple[float, ...], cause: str) -> None:
    now = dict(
        zip(
            (
                "tail_retention",
                "head_retention",
                "predictive_entropy",
                "effective_vocabulary",
                "perplexity",
                "free_distinct_2",
            ),
            values,
            strict=True,
        )
    )
    assert likely_cause(now, START).name == cause
    assert f"{values[0]:.2f}" in likely_cause(now, START).reason


def test_what_was_not_read_tells_nothing() -> None:
    nothing = likely_cause({}, START)
    assert nothing.name == "not told apart"
    assert "none of the readings" in nothing.reason
    missing = likely_cause({**START, "tail_retention": 0.5, "perplexity": math.nan}, START)
    assert missing.name == "not told apart"
    assert "perplexity" not in missing.reason
    assert likely_cause(START, START).name == "not told apart"


def test_it_is_two_sentences() -> None:
    for way in KNOWN:
        start, *_, last = looks_of(way)
        cause = likely_cause(last, start)
        assert str(cause) == f"{cause.reason} {cause.advice}"
        assert cause.reason.endswith(".")
        assert cause.advice.endswith(".")
