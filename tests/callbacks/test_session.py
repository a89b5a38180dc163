"""A loop of one's own that a session watches: logs, alerts, actions, failures and resumes."""

import json
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator

from collapse_guard import (
    Alert,
    ArgumentError,
    CollapseMonitor,
    EveryNSteps,
    FailureGuard,
    MixGuard,
    Threshold,
)
from collapse_guard.callbacks import WatchSession
from collapse_guard.callbacks.records import record_keys
from collapse_guard.monitor.look import Look
from collapse_guard.readings.prequential import PrequentialReader
from tests.looks import ON_HUMAN_TEXT
from tests.paces import Scripted
from tests.tiny import tiny_gpt2, tiny_panel, tiny_reference, zipf_documents

ROWS = torch.tensor(zipf_documents(32, length=16, seed=9))
STEPS = 8
NUM_WINDOWS = len(tiny_panel())
ALWAYS_BROKEN = Threshold("perplexity", above=0.0, alpha=None)
RAISED = {"on_error": "raise"}


class Log:
    """Keeps what a tracker would be sent."""

    def __init__(self) -> None:
        self.records: list[tuple[int, dict[str, float]]] = []

    def __call__(self, record: dict[str, float], step: int) -> None:
        self.records.append((step, record))

    @property
    def steps(self) -> list[int]:
        return [step for step, _ in self.records]


def monitor_of(
    windows: dict[int, int] | None = None, rules: Any = (), **arguments: Any
) -> CollapseMonitor:
    """Looks at the whole panel every 3 steps, or at so many windows, by step."""
    monitor = CollapseMonitor(tiny_panel(), rules=list(rules), pace=EveryNSteps(3), **arguments)
    if windows is not None:
        monitor._run.schedule = Scripted(windows)
    return monitor


def session_of(monitor: CollapseMonitor | None = None, **arguments: Any) -> WatchSession:
    return WatchSession(monitor or monitor_of(), **{**RAISED, **arguments})


def train(
    session: WatchSession,
    *,
    model: torch.nn.Module | None = None,
    first: int = 1,
    steps: int = STEPS,
) -> int:
    """The step that such a loop comes to."""
    model = tiny_gpt2() if model is None else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    session.start(model, first - 1)
    for step in range(first, steps + 1):
        batch = ROWS[step * 2 : step * 2 + 2]
        model(input_ids=batch, labels=batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if session.step(model, step):
            break
    session.end(model, step)
    return step


def test_looks_are_logged_under_the_documented_keys() -> None:
    log = Log()
    session = session_of(log=log)
    assert session.latest == {}
    assert train(session) == STEPS
    assert log.steps == [0, 3, 6, 8]
    last, reading = log.records[-1][1], session.monitor.history[-1]
    assert set(last) == {f"collapse/{key}" for key in record_keys(session.monitor)}
    assert {name: last[f"collapse/{name}"] for name in ON_HUMAN_TEXT} == dict(reading)
    assert last["collapse/tail_gap_se"] == reading.standard_errors["tail_gap"]
    assert last["collapse/overhead"] == session.monitor.overhead_spent
    assert all(type(value) is float for value in last.values())
    assert session.latest == last
    assert session.metrics(STEPS) == last


@pytest.mark.parametrize(
    ("every", "steps"),
    [
        (1, [0, 1, 2, 4, 5, 7, 8]),
        # The latest of those at hand after steps 3 and 6; then the end comes first.
        (3, [0, 2, 4, 5, 8]),
        (None, [0, 4, 8]),
    ],
)
def test_small_looks_are_logged_as_often_as_is_wanted(every: Any, steps: list[int]) -> None:
    log = Log()
    monitor = monitor_of({1: 2, 2: 2, 4: NUM_WINDOWS, 5: 1, 7: 2})
    train(session_of(monitor, log=log, log_every_n_steps=every))
    assert log.steps == steps


def test_a_small_look_that_alerts_is_logged_at_once() -> None:
    log = Log()
    rule = Threshold("head_retention", above=0.0, alpha=None)
    monitor = monitor_of({2: 2, 3: 2}, [rule])
    train(session_of(monitor, log=log, log_every_n_steps=None))
    counts = [(step, record["collapse/alerts"]) for step, record in log.records]
    assert counts == [(0, 0), (2, 1), (8, 1)]


def test_a_step_that_is_told_twice_is_looked_at_once() -> None:
    model, session = tiny_gpt2(), session_of(monitor_of({1: 2, 2: NUM_WINDOWS}))
    session.start(model)
    for step in (0, 1, 1, 2, 2):
        session.step(model, step)
    # A look at the whole panel that has been taken is not taken again.
    session.look(model, 2)
    session.end(model, 2)
    assert [look.step for look in session.monitor.history] == [0, 2]


def test_a_started_monitor_keeps_its_start() -> None:
    monitor = monitor_of()
    monitor.start(tiny_gpt2(seed=5))
    train(session_of(monitor))
    assert [look.step for look in monitor.history] == [0, 0, 3, 6, 8]
    assert monitor.history[1]["tail_retention"] != 1.0


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
    # Another run is not stopped by what this one met.
    session = session_of(monitor, on_alert="stop")
    assert train(session) == STEPS


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
    assert log.steps == ([0, 2, 4] if from_step else [])
    assert math.isnan(session.latest["collapse/tail_retention"]) == (from_step == 0)
    assert math.isnan(session.metrics(STEPS)["collapse/tail_retention"])
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


def test_a_small_look_that_waits_to_be_logged_is_kept() -> None:
    model, log = tiny_gpt2(), Log()
    first = session_of(monitor_of({1: 2}), log_every_n_steps=4)
    first.start(model)
    first.step(model, 1)
    state = json.loads(json.dumps(first.state_dict()))
    step, record = state["unlogged"]
    assert (step, record["collapse/alerts"]) == (1, 0)
    later = session_of(monitor_of({}), log=log, log_every_n_steps=4)
    later.load_state_dict(state)
    later.start(model, 1)
    # What is known is known at once.
    assert later.latest == first.latest
    for step in (2, 3, 4):
        later.step(model, step)
    assert log.records == [(1, record)]


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
    other = CollapseMonitor(tiny_panel(window=20), rules=[], pace=EveryNSteps(4))
    later = session_of(other, on_error="report")
    later.load_state_dict(first.state_dict())
    assert train(later, first=5) == STEPS
    assert "expected one of a monitor of this panel" in caplog.text
    assert [look.step for look in other.history] == [4, 8]


def test_a_model_that_was_exchanged_is_not_read_as_the_last() -> None:
    model, session = tiny_gpt2(), session_of()
    session.start(model)
    session.look(model, 1)
    session.end(None, 1)
    assert math.isnan(session.metrics(1)["collapse/tail_retention"])
    # Asked for, it is looked at.
    session.look(tiny_gpt2(seed=5), 1)
    assert [look.step for look in session.monitor.history] == [0, 1, 1]
    assert session.metrics(1)["collapse/tail_retention"] != 1.0


def test_keys_begin_as_is_wanted() -> None:
    session = session_of(name="code", prefix="eval_")
    session.start(tiny_gpt2())
    assert all(key.startswith("eval_code/") for key in session.latest)


def test_changes_are_told_and_steps_without_a_look_are_none() -> None:
    changes: list[int] = []
    session = session_of(
        monitor_of({2: 2, 4: NUM_WINDOWS}),
        log_every_n_steps=3,
        on_change=lambda: changes.append(len(session.latest)),
    )
    train(session)
    # The start, the looks after steps 2, 4 and 8, and what was logged after step 3.
    assert len(changes) == 5
    assert all(changes)


def test_human_rows_are_read_along_until_the_end() -> None:
    rows = [{"input_ids": row} for row in ROWS.tolist()]
    mix = MixGuard(rows, rows, human_fraction=0.5, block_size=2)
    reader = PrequentialReader(mix, tiny_reference(), start_rows=2)
    model, session = tiny_gpt2(), session_of(monitor_of({}, prequential=reader))

    def watch(each: PrequentialReader) -> Callable[[], None]:
        assert each is reader
        return each.watch(model, batch_size=2)

    def hooks() -> int:
        return len(model._forward_hooks)

    session.start(model)
    session.read_along(watch)
    # As in a run that begins again where another was broken off.
    session.read_along(watch)
    assert hooks() == 1
    for step in range(1, 5):
        ids = torch.tensor([mix[slot]["input_ids"] for slot in (2 * step - 2, 2 * step - 1)])
        model(input_ids=ids).logits.sum().backward()
        session.step(model, step)
    session.end(model, 4)
    assert hooks() == 0
    assert math.isfinite(session.latest["collapse/tail_logprob_prequential"])
    session.close()
    # Without a reader nothing is watched.
    session_of().read_along(fail)


class AskedWith(CollapseMonitor):
    """Keeps what it is asked with."""

    optimizers: tuple[Any, ...] = ()

    def start(self, model: torch.nn.Module, step: int = 0, *, optimizer: Any = None) -> Look:
        self.optimizers += (optimizer,)
        return super().start(model, step)


def test_the_optimizer_is_told_where_it_makes_a_difference() -> None:
    class Averaging(torch.optim.SGD):
        def __init__(self, parameters: Any) -> None:
            super().__init__(parameters)
            self.param_groups[0]["train_mode"] = True

        def eval(self) -> None:
            pass

        def train(self) -> None:
            pass

    model = tiny_gpt2()
    for kind, told in ((torch.optim.SGD, False), (Averaging, True)):
        optimizer, monitor = kind(model.parameters()), AskedWith(tiny_panel(), rules=[])
        session_of(monitor).start(model, optimizer=optimizer)
        assert monitor.optimizers == ((optimizer,) if told else (None,))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"on_alert": "halt"}, "`on_alert`"),
        ({"on_error": "ignore"}, "`on_error`"),
        ({"name": "a/b"}, "`name`"),
        ({"log_every_n_steps": 0}, "`log_every_n_steps`"),
        ({"on_alert": "save"}, "`save` expected a function that writes a checkpoint"),
        ({"on_alert": "save_and_stop"}, "`save` expected a function that writes a checkpoint"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        session_of(**arguments)
    with pytest.raises(ArgumentError, match="`monitor` expected a CollapseMonitor"):
        WatchSession(tiny_panel())  # type: ignore[arg-type]
