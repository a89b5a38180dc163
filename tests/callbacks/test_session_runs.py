"""Each run of a session is its own: start, alerts, pace, history."""

import json
from typing import Any

import pytest
import torch

from collapse_guard import Budget, CollapseMonitor, EveryNSteps, Threshold
from collapse_guard.callbacks import WatchSession
from tests.callbacks.loops import ALWAYS_BROKEN, STEPS, Log, monitor_of, session_of, train
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel

BROKEN_ONCE = Threshold("perplexity", above=0.0, patience=2, alpha=None)


def records_of(log: Log) -> list[tuple[int, dict[str, float]]]:
    """But for times, which differ in every run."""
    return [
        (step, {key: value for key, value in record.items() if not key.endswith("/overhead")})
        for step, record in log.records
    ]


def alone(seed: int, **arguments: Any) -> tuple[Log, CollapseMonitor]:
    log, monitor = Log(), monitor_of(rules=[BROKEN_ONCE], **arguments)
    train(session_of(monitor, log=log), model=tiny_gpt2(seed=seed))
    return log, monitor


def test_a_run_after_another_is_as_if_it_were_the_first(caplog: pytest.LogCaptureFixture) -> None:
    log = Log()
    session = session_of(monitor_of(rules=[BROKEN_ONCE]), log=log)
    train(session, model=tiny_gpt2(seed=5))
    assert caplog.text.count("another run begins") == 0
    log.records.clear()
    train(session, model=tiny_gpt2(seed=6))
    expected, monitor = alone(6)
    assert records_of(log) == records_of(expected)
    assert session.monitor.history == monitor.history
    assert session.monitor.alerts == monitor.alerts != []
    assert session.monitor.baseline == monitor.baseline
    assert caplog.text.count("compared with the model as it is now") == 1


def test_more_training_of_the_same_model_is_compared_with_where_it_began() -> None:
    session, model = session_of(), tiny_gpt2()
    train(session, model=model)
    first = session.monitor.baseline
    train(session, model=model)
    assert session.monitor.baseline != first
    assert session.monitor.history[0]["tail_retention"] == 1.0
    assert [look.step for look in session.monitor.history] == [0, 3, 6, 8]


@pytest.mark.parametrize("by_hand", [True, False], ids=["started", "baseline"])
def test_a_start_that_was_given_stays_and_all_else_is_new(
    by_hand: bool, caplog: pytest.LogCaptureFixture
) -> None:
    first = monitor_of()
    first.start(tiny_gpt2(seed=5))
    given = {} if by_hand else {"baseline": first.baseline}
    monitor = monitor_of(rules=[BROKEN_ONCE], **given)
    if by_hand:
        monitor.start(tiny_gpt2(seed=5))
    session = session_of(monitor)
    for seed in (6, 7):
        train(session, model=tiny_gpt2(seed=seed))
        assert monitor.baseline == first.baseline
        _, expected = alone(seed, baseline=first.baseline)
        assert monitor.history[-4:] == expected.history
        assert monitor.alerts == expected.alerts != []
    assert len(monitor.history) == 4
    assert "compared with the start that was given" in caplog.text
    # So with another session of the same monitor.
    caplog.clear()
    train(session_of(monitor), model=tiny_gpt2(seed=7))
    assert monitor.history == expected.history
    assert monitor.alerts == expected.alerts
    assert caplog.text.count("compared with the start that was given") == 1


def test_the_pace_is_learnt_anew() -> None:
    monitor = CollapseMonitor(tiny_panel(), rules=[], pace=Budget(0.5), sampling=BRIEF)
    fresh = json.dumps(monitor.state_dict()["pace"])
    session = session_of(monitor)
    train(session)
    used = monitor.state_dict()
    assert used["stopwatch"]["trained"] > 0
    assert json.dumps(used["pace"]) != fresh
    session.start(tiny_gpt2(seed=5))
    again = monitor.state_dict()
    assert again["stopwatch"]["trained"] == 0
    assert again["pace"]["step"] == 0
    assert again["pace"]["step_seconds"] == []
    assert again["pace"]["costs"] != used["pace"]["costs"]


class FailsOnce(CollapseMonitor):
    """Cannot look at one model."""

    failing: object = None

    def _look_at_all(self, model: Any, step: int) -> Any:
        if model is self.failing:
            raise ValueError("broken")
        return super()._look_at_all(model, step)


def test_a_run_that_cannot_start_is_not_compared_with_the_last(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = tiny_gpt2(seed=5)
    monitor = FailsOnce(tiny_panel(), rules=[ALWAYS_BROKEN], rules_wait=False)
    monitor.failing = bad
    session = session_of(monitor, on_error="report")
    for times in (1, 2):
        train(session)
        assert monitor.alerts
        assert train(session, model=bad) == STEPS
        assert not monitor.started
        assert monitor.history == monitor.alerts == []
        assert session.latest == {"collapse/watched": 0.0}
        assert session.metrics(STEPS) == session.latest
        # Told for each run that it befalls.
        assert caplog.text.count("taking a reading failed") == times
    train(session)
    assert [look.step for look in monitor.history] == [0, 8]


def test_after_a_run_that_was_resumed_the_next_takes_its_own_start() -> None:
    first = session_of()
    train(first, model=tiny_gpt2(seed=5), steps=4)
    session = session_of()
    session.load_state_dict(first.state_dict())
    train(session, first=5)
    assert session.monitor.baseline == first.monitor.baseline
    assert [look.step for look in session.monitor.history] == [6, 8]
    # Resumed once more, with what it has looked at since.
    session.load_state_dict(first.state_dict())
    train(session, first=5)
    assert [look.step for look in session.monitor.history] == [6, 8]
    train(session, model=tiny_gpt2(seed=6))
    assert session.monitor.history == alone(6)[1].history


def test_a_chain_spends_one_error_budget_through_sessions() -> None:
    rule = Threshold("tail_retention", below=0.5, alpha=0.1)

    def looks_spent(monitor: CollapseMonitor) -> int:
        return int(monitor.state_dict()["alarms"]["boundaries"][str(rule)]["looks"])

    first = monitor_of(rules=[rule])
    own = session_of(first)
    for _ in range(2):
        # Each with a start of its own, which is held against nothing.
        train(own)
        assert looks_spent(first) == 3
    second = monitor_of(rules=[rule], continues=first)
    session = session_of(second)
    for run in (1, 2):
        train(session, model=tiny_gpt2(seed=run))
        assert [look.step for look in second.history] == [0, 3, 6, 8]
        assert looks_spent(second) == 3 + 4 * run


def train_from_scratch(monitor: CollapseMonitor, session: WatchSession, *, steps: int) -> None:
    """A model that soon knows the very text that it is looked at on."""
    model, ids = tiny_gpt2(), monitor.panel.input_ids
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    session.start(model)
    for step in range(1, steps + 1):
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        session.step(model, step)
    session.end(model, steps)


def test_a_start_that_was_taken_anew_is_of_one_run_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    monitor = CollapseMonitor(tiny_panel(), rules=[], pace=EveryNSteps(5), sampling=BRIEF)
    session = session_of(monitor)
    train_from_scratch(monitor, session, steps=40)
    assert monitor.history[-1]["tail_retention"] != monitor.history[0]["tail_retention"] == 1.0
    assert not monitor.state_dict()["is_waiting"]
    learnt = monitor.baseline
    train_from_scratch(monitor, session, steps=4)
    assert monitor.baseline != learnt
    assert monitor.history[0]["tail_retention"] == 1.0
    assert "compared with the model as it is now" in caplog.text


def waited(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log tells of rules that waited to the end; it starts anew."""
    told = [each.getMessage() for each in caplog.records]
    caplog.clear()
    return [each for each in told if "waited to the end" in each]


def test_the_log_tells_of_rules_that_waited_to_the_end(caplog: pytest.LogCaptureFixture) -> None:
    rules = [Threshold("tail_retention", below=0.85, alpha=None)]
    ready = "the look after step 40 is the first"
    never = "after step 1 the model was still worse"
    for steps, every, told in ((40, 100, [ready]), (1, 100, [never]), (40, 39, []), (40, 5, [])):
        monitor = CollapseMonitor(
            tiny_panel(), rules=rules, pace=EveryNSteps(every), sampling=BRIEF
        )
        session = session_of(monitor)
        # The second run is as the first.
        for _ in range(2):
            train_from_scratch(monitor, session, steps=steps)
            messages = waited(caplog)
            assert len(messages) == len(told)
            assert all(each in message for each, message in zip(told, messages, strict=True))
    for arguments in ({"rules": []}, {"rules": rules, "rules_wait": False}):
        monitor = CollapseMonitor(tiny_panel(), pace=EveryNSteps(100), sampling=BRIEF, **arguments)
        train_from_scratch(monitor, session_of(monitor), steps=1)
        assert not waited(caplog)


def test_a_resumed_run_tells_of_rules_that_waited_too(caplog: pytest.LogCaptureFixture) -> None:
    rules = [Threshold("tail_retention", below=0.85, alpha=None)]
    pace = EveryNSteps(100)
    first, second = (
        CollapseMonitor(tiny_panel(), rules=rules, pace=pace, sampling=BRIEF) for _ in range(2)
    )
    session, resumed = session_of(first), session_of(second)
    session.start(tiny_gpt2())
    resumed.load_state_dict(json.loads(json.dumps(session.state_dict())))
    train_from_scratch(second, resumed, steps=40)
    assert ["after step 40" in each for each in waited(caplog)] == [True]
