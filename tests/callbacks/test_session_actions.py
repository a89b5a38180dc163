"""What an alert makes a loop of one's own do, and what may fail in it."""

import logging
from typing import Any

import pytest
import torch

from collapse_guard import Alert, CollapseMonitor, EveryNSteps, FailureGuard, Threshold
from tests.callbacks.loops import (
    ALWAYS_BROKEN,
    RAISED,
    STEPS,
    Log,
    monitor_of,
    session_of,
    train,
)
from tests.tiny import tiny_gpt2, tiny_panel


@pytest.mark.parametrize(
    ("on_alert", "severity", "stops", "saves"),
    [
        ("log", "critical", False, False),
        ("save", "warn", False, True),
        ("stop", "warn", True, False),
        ("save_and_stop", "critical", True, True),
        ("save_and_stop", "info", False, False),
        (lambda alert: "save_and_stop", "warn", True, True),
        (lambda alert: None, "critical", False, False),
    ],
)
def test_actions(on_alert: Any, severity: Any, stops: bool, saves: bool) -> None:
    told: list[Alert] = []
    saved: list[int] = []
    stopped: list[bool] = []
    monitor = monitor_of(rules=[Threshold("perplexity", above=0.0, alpha=None, severity=severity)])
    session = session_of(
        monitor,
        on_alert=on_alert,
        sink=told.append,
        save=saved.append,
        stop=lambda: stopped.append(session.should_stop),
    )
    assert train(session) == (3 if stops else STEPS)
    assert [alert.step for alert in told] == [3]
    assert saved == ([3] if saves else [])
    assert stopped == ([True] if stops else [])
    assert session.should_stop == stops


def test_an_alert_at_the_start_stops_after_the_first_step() -> None:
    monitor = monitor_of(rules=[ALWAYS_BROKEN])
    monitor.start(tiny_gpt2(seed=5))
    assert train(session_of(monitor, on_alert="stop")) == 1
    # Another run meets the same with alarms of its own.
    session = session_of(monitor, on_alert="stop")
    assert train(session) == 1
    assert [alert.step for alert in monitor.alerts] == [0]


def test_alerts_go_to_the_logger_by_default(caplog: pytest.LogCaptureFixture) -> None:
    train(session_of(monitor_of(rules=[ALWAYS_BROKEN]), on_alert="stop"))
    assert "perplexity is" in caplog.text
    assert "training stops at step 3 because of an alert" in caplog.text


def fail(*arguments: Any) -> None:
    raise ConnectionError("no line today")


@pytest.mark.parametrize(
    ("broken", "task"),
    [
        ({"log": fail}, "logging a reading"),
        ({"on_change": fail}, "keeping a reading"),
        ({"sink": fail}, "passing on an alert"),
        ({"save": fail}, "saving a checkpoint on an alert"),
        ({"stop": fail}, "stopping on an alert"),
    ],
    ids=["log", "on_change", "sink", "save", "stop"],
)
def test_what_is_plugged_in_may_fail(
    broken: dict[str, Any], task: str, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = monitor_of(rules=[ALWAYS_BROKEN])
    settings = {"save": lambda step: None, "on_alert": "save_and_stop", "on_error": "report"}
    with caplog.at_level(logging.ERROR, "collapse_guard"):
        # And everything else is done.
        assert train(session_of(monitor, **{**settings, **broken})) == 3
    told = [record.getMessage() for record in caplog.records if record.exc_info]
    assert [message.partition(" failed;")[0] for message in told] == [task]
    again = session_of(monitor_of(rules=[ALWAYS_BROKEN]), **{**settings, **broken, **RAISED})
    with pytest.raises(ConnectionError):
        train(again)


def test_a_function_that_fails_asks_for_nothing(caplog: pytest.LogCaptureFixture) -> None:
    session = session_of(monitor_of(rules=[ALWAYS_BROKEN]), on_alert=fail, on_error="report")
    assert train(session) == STEPS
    assert "acting on an alert failed" in caplog.text


def test_a_function_that_wants_a_checkpoint_of_a_session_that_cannot_save(
    caplog: pytest.LogCaptureFixture,
) -> None:
    session = session_of(
        monitor_of(rules=[ALWAYS_BROKEN]), on_alert=lambda alert: "save_and_stop", on_error="report"
    )
    assert train(session) == 3
    assert "argument `save` expected a function that writes a checkpoint" in caplog.text


class Breaks(CollapseMonitor):
    """Fails at every look from the given step on."""

    def __init__(self, from_step: int) -> None:
        super().__init__(tiny_panel(), rules=[], pace=EveryNSteps(2))
        self.from_step = from_step

    def _look_at_all(self, model: torch.nn.Module, step: int) -> Any:
        if step >= self.from_step:
            raise ValueError("broken")
        return super()._look_at_all(model, step)


@pytest.mark.parametrize("from_step", [0, 5])
def test_looks_that_fail_are_told_once_and_end_nothing(
    from_step: int, caplog: pytest.LogCaptureFixture
) -> None:
    log = Log()
    session = session_of(Breaks(from_step), log=log, on_error="report")
    with caplog.at_level(logging.ERROR, "collapse_guard"):
        assert train(session) == STEPS
    assert [record.exc_info is not None for record in caplog.records] == [True]
    assert log.steps == ([0, 2, 4] if from_step else [0])
    assert ("collapse/tail_retention" in session.latest) == (from_step > 0)
    unwatched = {} if from_step else {"collapse/watched": 0.0}
    assert session.values.missing == session.values.keys - unwatched.keys()
    assert session.metrics(STEPS) == unwatched
    with pytest.raises(ValueError, match="broken"):
        train(session_of(Breaks(from_step)))


def test_a_start_that_was_forgotten_is_missed_aloud(caplog: pytest.LogCaptureFixture) -> None:
    session = session_of(on_error="report")
    assert not session.step(tiny_gpt2(), 1)
    assert "call start(model) before the first training step" in caplog.text


def test_failures_of_the_loop_itself_can_be_contained_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard = FailureGuard()
    session = session_of(on_error=guard)
    for _ in range(2):
        with session.contained("plotting"):
            raise ValueError
    assert caplog.text.count("plotting failed") == 1
    with guard.contained("plotting"):
        raise ValueError
    assert caplog.text.count("plotting failed") == 1
