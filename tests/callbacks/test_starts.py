"""Whose a monitor's start is."""

import json

import pytest

from collapse_guard import ArgumentError, CollapseMonitor
from collapse_guard.callbacks.starts import Starts, state_with_start
from collapse_guard.statistics.json_forms import Part
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel


def started(seed: int = 0) -> CollapseMonitor:
    monitor = CollapseMonitor(tiny_panel(), rules=[], sampling=BRIEF)
    monitor.start(tiny_gpt2(seed=seed))
    return monitor


def test_what_a_run_took_is_no_users_start() -> None:
    monitor = CollapseMonitor(tiny_panel(), rules=[], sampling=BRIEF)
    starts = Starts(monitor)
    assert starts.given is None
    monitor.start(tiny_gpt2())
    starts.took()
    assert starts.given is None


def test_a_start_by_hand_and_one_at_construction_are_the_users() -> None:
    by_hand = started()
    at_construction = CollapseMonitor(
        tiny_panel(), rules=[], baseline=by_hand.baseline, sampling=BRIEF
    )
    for monitor in (by_hand, at_construction):
        assert Starts(monitor).given is by_hand.baseline


def test_the_users_start_outlives_one_that_was_loaded() -> None:
    monitor, other = started(), started(seed=5)
    starts, mine = Starts(monitor), monitor.baseline
    assert starts.given is mine
    monitor.load_state_dict(json.loads(json.dumps(other.state_dict())))
    starts.took()
    assert starts.given is mine
    # Until the user gives another.
    monitor.start(tiny_gpt2(seed=5))
    assert starts.given is monitor.baseline is not mine


def test_one_that_is_taken_anew_in_a_look_stays_whose_it_was() -> None:
    monitor, given = CollapseMonitor(tiny_panel(), rules=[], sampling=BRIEF), started()
    for is_users, mine in ((False, monitor), (True, given)):
        starts = Starts(mine)
        if not is_users:
            mine.start(tiny_gpt2())
            starts.took()
        assert (starts.given is not None) == is_users
        with starts.followed():
            mine.start(tiny_gpt2(seed=5))
        assert starts.given is (mine.baseline if is_users else None)


def test_a_state_without_a_start_is_none_of_a_session() -> None:
    state = started().state_dict()
    assert state_with_start(Part("state", state)) is state
    with pytest.raises(ArgumentError, match=r'`state\["baseline"\]` expected the start of a run'):
        state_with_start(Part("state", {**state, "baseline": None}))
