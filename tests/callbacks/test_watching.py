"""Whether a run is watched: a start that fails is loud, and is tried again where that may help."""

import logging
from typing import Any

import pytest
import torch

from collapse_guard import CollapseMonitor, EveryNSteps
from collapse_guard.callbacks import WatchSession
from collapse_guard.callbacks.watching import FIRST_WAIT, Watching
from collapse_guard.errors import (
    ArgumentError,
    LostPeerError,
    PanelError,
    PeerError,
    ScoringError,
    TokenizerMismatchError,
    UnwatchableError,
)
from tests.callbacks.failing_looks import failing
from tests.callbacks.loops import ALWAYS_BROKEN, Log, session_of
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel

KEY = "collapse/watched"


def watching_of(monitor: CollapseMonitor) -> Watching:
    return Watching(monitor, "collapse", 1.0)


def fresh() -> CollapseMonitor:
    return CollapseMonitor(tiny_panel(), rules=[], sampling=BRIEF)


@pytest.mark.parametrize(
    ("error", "is_off"),
    [
        (torch.OutOfMemoryError("full"), False),
        (ScoringError("nan"), False),
        (ValueError("broken"), False),
        (UnwatchableError("a trace"), True),
        (TokenizerMismatchError("others"), True),
        (PanelError("short"), True),
        (ArgumentError("long"), True),
        (PeerError("elsewhere"), False),
        (PeerError("elsewhere", never_passes=True), True),
        (LostPeerError("process 1"), True),
    ],
)
def test_what_never_passes_is_not_tried_again(error: Exception, is_off: bool) -> None:
    watching = watching_of(fresh())
    told = watching.failed(error, 0)
    assert f"not watched ({type(error).__name__}: {error})" in told
    assert ("tried again" in told) != is_off
    assert watching.lacks_start
    assert watching.is_off == is_off
    assert not watching.is_watched
    assert watching.is_due(FIRST_WAIT) != is_off
    # Another run begins with hope.
    watching.begin(20)
    assert watching.is_watched


def test_a_look_that_fails_in_a_run_with_a_start_ends_nothing_but_where_it_would_do_harm() -> None:
    monitor = fresh()
    monitor.start(tiny_gpt2())
    for error in (ValueError("broken"), ArgumentError("of a reading")):
        watching = watching_of(monitor)
        watching.looked(0)
        assert "not told again" in watching.failed(error, 3)
        assert watching.is_watched
    assert "not watched" in watching.failed(UnwatchableError("a trace"), 4)
    assert watching.is_off
    alone = watching_of(monitor)
    alone.looked(0)
    alone.failed(LostPeerError("process 1"), 4)
    assert alone.is_off
    assert not alone.lacks_start
    # The first look of a run that was given its start.
    given = watching_of(monitor)
    given.failed(ArgumentError("too long"), 0)
    assert given.is_off


def test_each_further_try_waits_twice_as_long() -> None:
    watching = watching_of(fresh())
    watching.begin(100)
    tries = []
    for step in range(100, 300):
        if step == 100 or watching.is_due(step):
            tries.append(step - 100)
            watching.failed(ValueError("broken"), step)
    assert tries == [0, 10, 30, 70, 150]


def test_one_process_meets_nobody_and_agrees_with_itself() -> None:
    watching = watching_of(fresh())
    assert [watching.meet({"panel": "a"}, resumes) for resumes in (True, False)] == [True, False]
    assert watching.agree(lambda: "done") == "done"
    with pytest.raises(ValueError, match="broken"):
        watching.agree(broken)


def broken() -> None:
    raise ValueError("broken")


def run(session: WatchSession, steps: int, model: torch.nn.Module | None = None) -> None:
    model = tiny_gpt2() if model is None else model
    session.start(model)
    for step in range(1, steps + 1):
        session.step(model, step)
    session.end(model, steps)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


def test_a_start_that_fails_is_told_once_and_shows_in_what_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log, monitor = Log(), failing(*range(40))
    session = session_of(monitor, log=log, on_error="report")
    run(session, 25)
    (message,) = told(caplog)
    assert "not watched (ValueError: broken)" in message
    assert "tried again" in message
    assert log.records == [(0, {KEY: 0.0})]
    assert session.latest == {KEY: 0.0}
    assert session.metrics(25) == session.metrics(7) == {KEY: 0.0}
    assert session.state_dict() == {}


def test_a_start_that_is_taken_later_says_what_readings_compare_with(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log, monitor = Log(), failing(0, FIRST_WAIT)
    session = session_of(monitor, log=log, on_error="report")
    run(session, 40)
    assert [look.step for look in monitor.history] == [30, 40]
    assert [(step, record[KEY]) for step, record in log.records] == [(0, 0), (30, 1), (40, 1)]
    assert "watched from step 30 on: its start failed at step 0" in told(caplog)[-1]
    assert session.metrics(40)[KEY] == 1.0
    # The next run takes a start of its own.
    monitor.steps = ()
    run(session, 1)
    assert [look.step for look in monitor.history] == [0, 1]


def test_a_look_that_is_asked_for_tries_again_but_not_the_last(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model, monitor = tiny_gpt2(), failing(0)
    session = session_of(monitor, on_error="report")
    session.start(model)
    session.step(model, 1)
    session.end(model, 1)
    assert not monitor.started
    session.start(model)
    session.look(model, 1)
    assert monitor.started
    assert session.metrics(1)[KEY] == 1.0
    # And is the run's own.
    session.step(model, 2)
    monitor.steps = ()
    session.start(model)
    assert [look.step for look in monitor.history] == [0]
    assert any("another run begins" in message for message in told(caplog))


class Memory:
    """A hook that counts calls, where nobody can put the count back."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, module: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return output + self.calls


@pytest.mark.parametrize("is_given", [False, True])
def test_a_model_that_a_look_would_change_is_left_alone(
    is_given: bool, caplog: pytest.LogCaptureFixture
) -> None:
    memory, model = Memory(), tiny_gpt2()
    model.transformer.ln_f.register_forward_hook(memory)
    start = fresh()
    start.start(tiny_gpt2())
    baseline = start.baseline if is_given else None
    log = Log()
    monitor = CollapseMonitor(
        tiny_panel(),
        rules=[ALWAYS_BROKEN],
        pace=EveryNSteps(2),
        baseline=baseline,
        sampling=BRIEF,
    )
    session = session_of(monitor, log=log, on_error="report")
    session.start(model)
    calls = memory.calls
    assert calls == 3
    for step in range(1, 30):
        session.step(model, step)
        session.look(model, step)
    session.end(model, 30)
    assert memory.calls == calls
    (message,) = told(caplog)
    assert "not watched (UnwatchableError: a look would change the training" in message
    assert "nobody looks again" in message
    assert log.records == [(0, {KEY: 0.0})]
    assert session.metrics(4) == {KEY: 0.0}


def test_who_prefers_it_stops_at_step_0() -> None:
    with pytest.raises(ValueError, match="broken"):
        session_of(failing(0)).start(tiny_gpt2())
