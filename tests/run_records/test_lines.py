import json
import math
from typing import Any

import numpy as np
import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.run_records.lines import line_of, look_of, look_values, run_of, run_values
from collapse_guard.statistics.json_forms import Part
from tests.run_records.made import (
    CONFIGURATION,
    DECODINGS,
    LOST,
    a_look,
    a_record,
    an_alert,
)


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
    back, summary, overhead, texts, has_ended, *seldom = look_of(Part("line", json.loads(line)))
    assert seldom == [None, None]
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


def test_what_a_run_was_set_up_with_comes_back() -> None:
    record = a_record(decodings=DECODINGS, configuration=CONFIGURATION)
    values = json.loads(line_of(run_values(record)))
    assert run_of(Part("line", values)) == record
    # A file of before they were written down.
    del values["decodings"], values["configuration"]
    assert run_of(Part("line", values)) == a_record()


def test_a_rule_that_cannot_be_is_refused_by_the_line() -> None:
    values = json.loads(line_of(run_values(a_record())))
    values["rules"][0]["reading"] = ""
    with pytest.raises(ArgumentError, match=r'line\["rules"\]\[0\].*what a rule can be'):
        run_of(Part("line", values))


def test_what_few_lines_say_comes_back() -> None:
    logprobs = np.array([-0.5, -12.25])
    told = look_values(
        a_look(7, 0.5), summary=(), overhead=0.0, position_logprobs=logprobs, lost_words=LOST
    )
    back = look_of(Part("line", json.loads(line_of(told))))
    assert back.lost_words == LOST
    assert back.position_logprobs is not None
    assert back.position_logprobs.tolist() == logprobs.tolist()


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
        ("decodings", {}),
        ("decodings", [{}]),
        ("configuration", {"model": "GPT2"}),
        ("configuration", {"model": {"class": 3}}),
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
        ("position_logprobs", [-1.0]),
        ("lost_words", []),
    ],
)
def test_what_is_no_look_is_refused(key: str, value: Any) -> None:
    look = look_values(a_look(7, 0.5), summary=(), overhead=0.0)
    values = {**json.loads(line_of(look)), key: value}
    with pytest.raises(ArgumentError, match=f"line.*{key}"):
        look_of(Part("line", values))
