"""A loop of one's own that is resumed goes on as if it had never stopped."""

import json
from pathlib import Path

import pytest
from accelerate import Accelerator

from collapse_guard import CollapseMonitor, EveryNSteps, Threshold
from collapse_guard.callbacks import WatchSession
from tests.callbacks.loops import STEPS, Log, monitor_of, session_of, train
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel


def test_a_resumed_run_goes_on_with_its_start() -> None:
    rule = Threshold("perplexity", above=0.0, patience=3, alpha=None)

    def session() -> tuple[WatchSession, Log]:
        log = Log()
        return session_of(monitor_of(rules=[rule]), log=log), log

    whole, logged = session()
    train(whole)
    first, _ = session()
    model = tiny_gpt2()
    train(first, model=model, steps=4)
    later, log = session()
    later.load_state_dict(json.loads(json.dumps(first.state_dict())))
    train(later, model=model, first=5)
    assert later.monitor.baseline == whole.monitor.baseline
    # The first run has looked at its own end too, so that the third look comes at once.
    assert [alert.step for alert in whole.monitor.alerts] == [8]
    assert [alert.step for alert in later.monitor.alerts] == [6]
    assert log.steps == [6, 8]
    for key in ("collapse/tail_retention", "collapse/perplexity"):
        assert log.records[-1][1][key] == pytest.approx(logged.records[-1][1][key])


@pytest.mark.parametrize("stopped", [1, 3, 4, 5])
def test_a_resumed_run_logs_the_small_looks_that_an_undisturbed_one_logs(stopped: int) -> None:
    model, looks = tiny_gpt2(), {1: 2, 2: 2, 5: 2, 6: 2, 9: 2}
    first_log, log = Log(), Log()

    def session(log: Log) -> WatchSession:
        return session_of(monitor_of(looks), log=log, log_every_n_steps=4)

    first = session(first_log)
    first.start(model)
    for step in range(1, stopped + 1):
        first.step(model, step)
    later = session(log)
    later.load_state_dict(json.loads(json.dumps(first.state_dict())))
    later.start(model, stopped)
    # What is known is known at once.
    assert later.latest == first.latest
    for step in range(stopped + 1, 10):
        later.step(model, step)
    assert first_log.steps + log.steps == [0, 1, 5, 9]


def test_accelerate_keeps_it_in_its_checkpoints(tmp_path: Path) -> None:
    first, later, model = session_of(), session_of(), tiny_gpt2()
    accelerator = Accelerator(cpu=True)
    accelerator.register_for_checkpointing(first)
    first.start(model)
    accelerator.save_state(str(tmp_path))
    accelerator = Accelerator(cpu=True)
    accelerator.register_for_checkpointing(later)
    accelerator.load_state(str(tmp_path))
    later.start(tiny_gpt2(seed=5), 3)
    assert later.monitor.baseline == first.monitor.baseline


def test_a_run_that_is_joined_late_says_so(caplog: pytest.LogCaptureFixture) -> None:
    session = session_of()
    assert session.state_dict() == {}
    session.load_state_dict({})
    train(session, first=5)
    assert "compare with the model at step 4, where it joined" in caplog.text
    assert session.monitor.history[0]["tail_retention"] == 1.0


def test_a_state_of_another_panel_is_told_and_not_used(caplog: pytest.LogCaptureFixture) -> None:
    first = session_of()
    first.start(tiny_gpt2())
    other = CollapseMonitor(tiny_panel(window=20), rules=[], pace=EveryNSteps(4), sampling=BRIEF)
    later = session_of(other, on_error="report")
    later.load_state_dict(first.state_dict())
    assert train(later, first=5) == STEPS
    assert "expected one of a monitor of this panel" in caplog.text
    assert [look.step for look in other.history] == [4, 8]
