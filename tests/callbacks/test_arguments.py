"""What a session refuses to be given."""

import pytest

from collapse_guard import ArgumentError, CollapseMonitor
from collapse_guard.callbacks.arguments import check_monitor, check_name
from tests.tiny import tiny_panel


def test_what_fits_is_handed_on() -> None:
    monitor = CollapseMonitor(tiny_panel())
    assert check_monitor(monitor) is monitor
    assert check_name("code_2") == "code_2"


def test_a_monitor_is_wanted() -> None:
    with pytest.raises(ArgumentError, match="`monitor` expected a CollapseMonitor"):
        check_monitor(CollapseMonitor)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "a/b", "a b", "2nd"])
def test_a_name_must_fit_into_a_key(name: str) -> None:
    with pytest.raises(ArgumentError, match="`name` expected letters, digits and underscores"):
        check_name(name)
