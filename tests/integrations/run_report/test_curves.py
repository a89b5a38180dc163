from unittest.mock import patch

import pytest

from collapse_guard import Look
from collapse_guard.errors import ArgumentError
from collapse_guard.integrations.run_report import curves as module
from collapse_guard.integrations.run_report.curves import TITLES, curves_of
from tests.run_records.made import a_record, an_alert


def look(step: int, *names: str) -> Look:
    alerts = (an_alert(step),) if step == 4 else ()
    return Look(step, dict.fromkeys(names, 1.0 - step / 10), {}, alerts=alerts)


def test_readings_of_all_runs_have_a_curve_the_best_known_first() -> None:
    one = a_record(look(0, "tail_prob", "perplexity", "mine"), look(4, "tail_prob", "perplexity"))
    other = a_record(look(0, "tail_prob", "perplexity", "tail_retention"))
    curves = curves_of({"one": one, "other": other})
    assert [curve.reading for curve in curves] == ["perplexity", "tail_prob"]
    assert curves[0].title == TITLES["perplexity"]
    assert curves[0].meaning == "exp of the mean NLL"
    assert "one, from 1 at step 0 to 0.6 at step 4; other, from 1" in curves[0].svg


def test_small_looks_are_left_out() -> None:
    small = Look(2, {"tail_retention": 0.5}, {}, is_full=False)
    (curve,) = curves_of(
        {"a": a_record(look(0, "tail_retention"), small, look(4, "tail_retention"))}
    )
    assert "from 1 at step 0 to 0.6 at step 4" in curve.svg


def test_alarms_are_marked_where_they_belong() -> None:
    names = ("tail_retention", "perplexity")
    alarmed = curves_of({"a": a_record(look(0, *names), look(4, *names))})
    quiet = curves_of({"a": a_record(look(0, *names), look(3, *names))})
    assert "#b00020" in alarmed[0].svg.lower()
    assert "#b00020" not in alarmed[1].svg.lower()
    assert "#b00020" not in quiet[0].svg.lower()


def test_a_curve_is_drawn_once() -> None:
    (curve,) = curves_of({"a": a_record(look(0, "perplexity"), look(4, "perplexity"))})
    with patch.object(module, "figure_svg", wraps=module.figure_svg) as draws:
        assert curve.svg == curve.svg
    assert draws.call_count == 1


def test_runs_without_a_look_have_no_curves() -> None:
    for runs in ({}, {"a": a_record()}):
        with pytest.raises(ArgumentError, match="`runs` expected runs that have been looked at"):
            curves_of(runs)
