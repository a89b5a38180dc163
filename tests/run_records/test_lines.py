import json
import math
from typing import Any

import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.run_records.lines import line_of, look_of, look_values, run_of, run_values
from collapse_guard.statistics.json_forms import Part
from tests.run_records.made import a_look, a_record, an_alert


def test_a_run_comes_back_from_its_line() -> None:
    line = line_of(run_values(a_record()))
    assert line.count("\n") == 1
    assert run_of(Part("line", json.loads(line))) == a_record()
    nothing = a_record(panel=None, rules=(), meanings={})
    assert run_of(Part("line", json.loads(line_of(run_values(nothing))))).panel is None


def test_a_look_comes_back_from_its_line() -> None:
    look = a_look(7, 0.5, is_full=False, alerts=(an_alert(7),))
    told = look_values(
        look, summary=("so", "far"), overhead=math.nan, texts=("a\nb",), has_ended=True
    )
    line = line_of(told)
    assert line.count("\n") == 1
    back, *others, has_ended = look_of(Part("line", json.loads(line)))
    summary, overhead, texts = others
    assert (back.step, back.is_full, summary, has_ended) == (7, False, ("so", "far"), True)
    assert texts == ("a\nb",)
    assert back["tail_retention"] == 0.5
    assert math.isnan(back["tail_gap"])
    assert back["own_entropy"] == math.inf
    assert back.estimate("tail_retention").standard_error == 0.01
    assert math.isnan(back.estimate("perplexity").standard_error)
    assert back.alerts[0].explanation == "why"
    assert math.isnan(back.alerts[0].standard_error)
    assert math.isnan(overhead)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", "another"),
        ("version", 2),
        ("version", "1"),
        ("panel", {}),
        ("rules", [{"reading": "perplexity"}]),
        ("rules", "none"),
        ("meanings", {"perplexity": 3}),
        ("name", None),
    ],
)
def test_what_is_no_run_is_refused(key: str, value: Any) -> None:
    with pytest.raises(ArgumentError, match=f"line.*{key}"):
        run_of(Part("line", {**json.loads(line_of(run_values(a_record()))), key: value}))


def test_rules_beside_rules_without_end_are_refused() -> None:
    values = json.loads(line_of(run_values(a_record())))
    rule = values["rules"][0]
    for _ in range(50):
        rule = {**rule, "beside": rule}
    with pytest.raises(ArgumentError, match="few others"):
        run_of(Part("line", {**values, "rules": [rule]}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("step", -1),
        ("step", 1.5),
        ("values", {"tail_retention": "much"}),
        ("values", [1]),
        ("alerts", [{"rule": "x"}]),
        ("is_full", 1),
        ("summary", "text"),
        ("texts", [1]),
        ("overhead", "none"),
    ],
)
def test_what_is_no_look_is_refused(key: str, value: Any) -> None:
    look = look_values(a_look(7, 0.5), summary=(), overhead=0.0)
    values = {**json.loads(line_of(look)), key: value}
    with pytest.raises(ArgumentError, match=f"line.*{key}"):
        look_of(Part("line", values))
