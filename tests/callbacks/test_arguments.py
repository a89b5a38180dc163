"""What a session refuses to be given."""

from typing import Any

import pytest

from collapse_guard import ArgumentError, CollapseMonitor
from collapse_guard.callbacks.arguments import (
    check_every,
    check_monitor,
    check_name,
    check_seconds,
)
from tests.tiny import tiny_panel


def test_what_fits_is_handed_on() -> None:
    monitor = CollapseMonitor(tiny_panel())
    assert check_monitor(monitor) is monitor
    assert check_name("code_2") == "code_2"
    assert [check_every(each) for each in (None, 3)] == [None, 3]
    assert check_seconds(2) == 2.0


def test_a_monitor_is_wanted() -> None:
    with pytest.raises(ArgumentError, match="`monitor` expected a CollapseMonitor"):
        check_monitor(CollapseMonitor)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "a/b", "a b", "2nd"])
def test_a_name_must_fit_into_a_key(name: str) -> None:
    with pytest.raises(ArgumentError, match="`name` expected letters, digits and underscores"):
        check_name(name)


@pytest.mark.parametrize("given", [0, -1.0, float("inf"), float("nan"), True, "1", None])
def test_seconds_are_a_positive_number(given: Any) -> None:
    with pytest.raises(ArgumentError, match="`agree_within` expected a number of seconds above 0"):
        check_seconds(given)


@pytest.mark.parametrize("given", [0, 1.5, True])
def test_steps_are_a_whole_number(given: Any) -> None:
    with pytest.raises(ArgumentError, match="`log_every_n_steps`"):
        check_every(given)
