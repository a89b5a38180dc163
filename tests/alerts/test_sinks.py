"""Sinks tell each alert once: the default one as loudly as it is severe, and none for ever."""

import logging
import threading
from contextvars import ContextVar

import pytest

from collapse_guard import Alert, log_alert
from collapse_guard.alerts import sinks
from collapse_guard.alerts.sinks import in_time
from collapse_guard.errors import CollapseGuardError

ALERT = Alert("rule", "tail_gap", 0.3, 0.2, 0.01, 8, "warn", "30% is gone")


@pytest.mark.parametrize(
    ("severity", "level"),
    [("info", logging.INFO), ("warn", logging.WARNING), ("critical", logging.ERROR)],
)
def test_severity_is_the_level(severity, level: int, caplog: pytest.LogCaptureFixture) -> None:
    alert = Alert("rule", "tail_gap", 0.3, 0.2, 0.01, 8, severity, "30% is gone: %s")
    with caplog.at_level(logging.INFO, "collapse_guard"):
        log_alert(alert)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("collapse_guard", level)
    # A per cent sign in a message is no place for an argument.
    assert record.getMessage() == "30% is gone: %s"


def test_a_sink_in_time_is_as_if_called_by_itself() -> None:
    told: list[tuple[Alert, str]] = []
    run = ContextVar("run", default="")
    run.set("mine")
    in_time(lambda alert: told.append((alert, run.get())))(ALERT)
    assert told == [(ALERT, "mine")]


@pytest.mark.parametrize("error", [ValueError("broken"), TimeoutError("its own"), SystemExit(3)])
def test_what_it_raises_is_raised(error: BaseException) -> None:
    def fail(alert: Alert) -> None:
        raise error

    sink = in_time(fail)
    for _ in range(2):
        with pytest.raises(type(error)) as raised:
            sink(ALERT)
        assert raised.value is error


def test_one_that_hangs_is_given_up_and_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "PATIENCE", 0.05)
    asked: list[Alert] = []
    release = threading.Event()

    def hang(alert: Alert) -> None:
        asked.append(alert)
        release.wait(60)

    sink = in_time(hang)
    for _ in range(3):
        with pytest.raises(
            CollapseGuardError, match=r"longer than 0\.05 s for the alert of step 8"
        ):
            sink(ALERT)
    release.set()
    assert asked == [ALERT]
