"""What a session logs of a loop of one's own, and what it takes."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from collapse_guard import ArgumentError, CollapseMonitor, MixGuard, Threshold
from collapse_guard.callbacks import WatchSession
from collapse_guard.callbacks.records import record_keys
from collapse_guard.monitor.look import Look
from collapse_guard.readings.prequential import PrequentialReader
from tests.callbacks.loops import NUM_WINDOWS, ROWS, STEPS, Log, monitor_of, session_of, train
from tests.tiny import tiny_gpt2, tiny_panel, tiny_reference


def test_looks_are_logged_under_the_documented_keys() -> None:
    log = Log()
    session = session_of(log=log)
    assert session.latest == {}
    assert train(session) == STEPS
    assert log.steps == [0, 3, 6, 8]
    last, reading = log.records[-1][1], session.monitor.history[-1]
    assert set(last) == {f"collapse/{key}" for key in record_keys(session.monitor)}
    assert {name: last[f"collapse/{name}"] for name in reading} == dict(reading)
    assert last["collapse/tail_gap_se"] == reading.standard_errors["tail_gap"]
    assert last["collapse/overhead"] == session.monitor.overhead_spent
    assert all(type(value) is float for value in last.values())
    assert session.latest == last
    assert session.metrics(STEPS) == last


@pytest.mark.parametrize(
    ("every", "steps"),
    [
        (1, [0, 1, 2, 4, 5, 7, 8]),
        # The first from step 1, 3 and 6 on.
        (3, [0, 1, 4, 5, 7, 8]),
        (None, [0, 1, 4, 8]),
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
    monitor = monitor_of({1: 2, 2: 2, 3: 2}, [replace(rule, patience=2)])
    train(session_of(monitor, log=log, log_every_n_steps=None))
    counts = [(step, record["collapse/alerts"]) for step, record in log.records]
    assert counts == [(0, 0), (1, 0), (2, 1), (8, 1)]


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


def test_a_model_that_was_exchanged_is_not_read_as_the_last() -> None:
    model, session = tiny_gpt2(), session_of()
    session.start(model)
    session.look(model, 1)
    session.end(None, 1)
    assert session.metrics(1) == {}
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
    # The start, the looks after steps 2, 4 and 8, and that the next is logged from step 3 on.
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
    watched: list[PrequentialReader] = []
    session_of().read_along(watched.append)  # type: ignore[arg-type]
    assert watched == []


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
