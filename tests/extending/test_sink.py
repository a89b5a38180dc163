"""A sink of one's own is a function of an alert, given as `sink=`.

It works the same in a session and in every callback; nothing has to be registered. To add one to
the package, write it into `alerts/sinks.py`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collapse_guard import Alert, CollapseMonitor, EveryNSteps, Threshold
from collapse_guard.alerts.sinks import AlertSink
from collapse_guard.callbacks import CollapseGuard, CollapseGuardCallback, WatchSession
from tests.callbacks.huggingface.runs import make_trainer as make_hf
from tests.callbacks.lightning.runs import QUIET, fit, make_trainer as make_lightning
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel

pytestmark = QUIET


def to_file(path: Path) -> AlertSink:
    """A sink that appends a line for each alert to a file."""

    def sink(alert: Alert) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{alert.step} {alert.severity} {alert.reading}\n")

    return sink


def in_session(monitor: CollapseMonitor, sink: AlertSink, folder: Path) -> None:
    session, model = WatchSession(monitor, sink=sink, on_error="raise"), tiny_gpt2()
    session.start(model)
    for step in range(1, 17):
        session.step(model, step)
    session.end(model, step)


def in_hf(monitor: CollapseMonitor, sink: AlertSink, folder: Path) -> None:
    trainer = make_hf(folder)
    CollapseGuardCallback(monitor, sink=sink, on_error="raise").attach(trainer)
    trainer.train()


def in_lightning(monitor: CollapseMonitor, sink: AlertSink, folder: Path) -> None:
    fit(make_lightning(folder, CollapseGuard(monitor, sink=sink, on_error="raise")))


@pytest.mark.parametrize("run", [in_session, in_hf, in_lightning])
def test_each_alert_arrives_once(run: Callable[..., Any], tmp_path: Path) -> None:
    rules = [
        Threshold("perplexity", above=0.0, alpha=None),
        Threshold("tail_prob", above=-1.0, alpha=None, patience=2, severity="info"),
    ]
    monitor = CollapseMonitor(
        tiny_panel(), rules=rules, rules_wait=False, pace=EveryNSteps(5), sampling=BRIEF
    )
    path = tmp_path / "alerts.txt"
    run(monitor, to_file(path), tmp_path)
    assert path.read_text().splitlines() == [
        f"{alert.step} {alert.severity} {alert.reading}" for alert in monitor.alerts
    ]
    assert [alert.step for alert in monitor.alerts] == [5, 10]
