"""What `watch` returns."""

import pytest

from collapse_guard import ArgumentError, CollapseMonitor
from collapse_guard.callbacks import Watched, WatchedLoop, WatchSession
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel


def test_all_that_was_set_up_is_at_hand() -> None:
    panel = tiny_panel()
    monitor = CollapseMonitor(panel, sampling=BRIEF)
    watched = Watched(WatchSession(monitor), "callback", ("one", "two"))
    assert (watched.monitor, watched.panel, watched.reference) == (monitor, panel, panel.reference)
    assert str(watched) == "one\ntwo"
    assert watched.summary() == (
        "nothing can be said: the run could not be looked at (its log says why).",
    )


@pytest.mark.parametrize("state", [{}, {"step": 1}, {"step": "x", "session": {}}, 3])
def test_a_state_that_is_none_is_refused(state: object) -> None:
    session = WatchSession(CollapseMonitor(tiny_panel(), sampling=BRIEF))
    with pytest.raises(ArgumentError, match="expected"):
        WatchedLoop(session, None, (), tiny_gpt2()).begin(state)  # type: ignore[arg-type]
