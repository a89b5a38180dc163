"""What is known of a run by logged key, and what is missing."""

import json
import math

from collapse_guard import CollapseMonitor
from collapse_guard.callbacks.values import LoggedValues
from collapse_guard.monitor.look import Look
from tests.tiny import tiny_panel

MONITOR = CollapseMonitor(tiny_panel(), rules=[])


def values() -> LoggedValues:
    return LoggedValues(MONITOR, "c/")


def full(step: int, **read: float) -> Look:
    return Look(step, read, {}, is_full=True)


def test_all_is_missing_before_there_is_a_look() -> None:
    empty = values()
    assert empty.latest == {}
    assert empty.missing == empty.keys > {"c/tail_retention", "c/tail_retention_se", "c/alerts"}
    assert empty.full(0) == {}


def test_a_value_stays_until_there_is_another_and_is_missing_meanwhile() -> None:
    mine = values()
    mine.take_in(full(1, perplexity=3.0, tail_gap=0.5))
    assert not {"c/perplexity", "c/tail_gap", "c/alerts"} & mine.missing
    record = mine.take_in(full(2, perplexity=math.nan, tail_gap=0.25))
    assert "c/perplexity" not in record
    assert "c/perplexity" in mine.missing
    assert (mine.latest["c/perplexity"], mine.latest["c/tail_gap"]) == (3.0, 0.25)
    assert mine.full(2) == record
    assert mine.full(1) == {}


def test_a_small_look_says_nothing_of_what_it_does_not_read() -> None:
    mine = values()
    mine.take_in(full(1, perplexity=3.0, tail_gap=0.5))
    mine.take_in(Look(2, {"tail_gap": 0.25}, {}, is_full=False))
    assert not {"c/perplexity", "c/tail_gap"} & mine.missing
    assert not mine.has_full(2)
    assert mine.has_full(1)


def test_a_look_that_fails_loses_all_and_forgets_nothing() -> None:
    mine = values()
    mine.take_in(full(1, perplexity=3.0))
    mine.lose()
    assert mine.missing == mine.keys
    assert mine.latest["c/perplexity"] == 3.0
    mine.take_in(Look(2, {"tail_gap": 0.25}, {}, is_full=False))
    assert "c/perplexity" in mine.missing
    assert "c/tail_gap" not in mine.missing


def test_a_run_that_is_not_watched_says_so_until_it_is_resumed() -> None:
    mine = values()
    mine.take_in(full(1, perplexity=3.0))
    assert mine.is_watched
    assert mine.full(1)["c/watched"] == 1.0
    assert mine.unwatch() == {"c/watched": 0.0}
    assert not mine.is_watched
    assert mine.full(2) == {"c/watched": 0.0}
    assert mine.missing == mine.keys - {"c/watched"}
    assert mine.latest["c/perplexity"] == 3.0
    later = values()
    later.load(json.loads(json.dumps(mine.state_dict())))
    assert later.is_watched
    assert later.full(2) == {}
    mine.take_in(full(3, perplexity=3.0))
    assert mine.is_watched


def test_a_run_begins_with_nothing_or_with_what_it_resumes() -> None:
    mine = values()
    mine.take_in(full(1, perplexity=3.0))
    mine.load({"latest": {"c/tail_gap": 0.5}})
    assert mine.full(1) == {}
    assert mine.latest == {"c/tail_gap": 0.5}
    assert mine.missing == mine.keys - {"c/tail_gap"}
    mine.take_in(full(1, perplexity=3.0))
    mine.forget_full()
    assert mine.full(1) == {}
    mine.clear()
    assert (mine.latest, mine.missing) == ({}, mine.keys)


def test_a_resumed_run_knows_at_which_step_the_whole_panel_was_looked_at() -> None:
    mine, later = values(), values()
    mine.take_in(full(3, perplexity=3.0))
    later.load(json.loads(json.dumps(mine.state_dict())))
    assert later.full(3) == mine.full(3) != {}
    assert not later.has_full(2)
