"""What the callback logs, hands to evaluations, survives and refuses."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import EarlyStoppingCallback

from collapse_guard import (
    ArgumentError,
    Budget,
    CollapseMonitor,
    EveryNSteps,
    MixGuard,
    PackCollator,
    PackedMix,
)
from collapse_guard.callbacks import CollapseGuardCallback
from collapse_guard.errors import CollapseGuardError, MixOrderError
from collapse_guard.monitor.stopwatch import Stopwatch
from tests.callbacks.huggingface.runs import (
    Recorder,
    fingerprint,
    guarded,
    losses_in,
    make_trainer,
    readings_in,
)
from tests.looks import BANDED, ON_HUMAN_TEXT
from tests.tiny import BRIEF, tiny_gpt2, tiny_llama, tiny_panel

NUM_WINDOWS = len(tiny_panel())


def test_readings_reach_history_and_trackers_at_their_steps(tmp_path: Path) -> None:
    tracker = Recorder()
    trainer = make_trainer(tmp_path, callbacks=[tracker])
    callback = guarded().attach(trainer)
    trainer.train()
    for records in (trainer.state.log_history, tracker.records):
        found = readings_in(records)
        assert [record["step"] for record in found] == [0, 5, 10, 15, 16]
        assert all(type(value) in (int, float) for record in found for value in record.values())
    last = readings_in(trainer.state.log_history)[-1]
    reading = callback.monitor.history[-1]
    assert {name: last[f"eval_collapse/{name}"] for name in reading} == dict(reading)
    assert last["eval_collapse/tail_retention_se"] == reading.standard_errors["tail_retention"]
    assert last["epoch"] == 2.0
    json.dumps(trainer.state.log_history, allow_nan=False)


def test_the_overhead_is_logged_as_soon_as_there_is_training_to_compare_with(
    tmp_path: Path,
) -> None:
    trainer = make_trainer(tmp_path)
    callback = guarded().attach(trainer)
    trainer.train()
    key = "eval_collapse/overhead"
    told = {r["step"]: r[key] for r in trainer.state.log_history if key in r}
    assert list(told) == [5, 10, 15, 16]
    assert told[16] == callback.monitor.overhead_spent > 0


def test_small_looks_are_logged_as_often_as_the_run_logs_at_their_steps(tmp_path: Path) -> None:
    tracker = Recorder()
    trainer = make_trainer(tmp_path, callbacks=[tracker])
    # The run logs after steps 3, 6, 9, 12 and 15; of small looks the first after each is logged.
    windows = {1: 2, 2: 2, 4: NUM_WINDOWS, 5: 2, 6: 3, 13: 2, 14: NUM_WINDOWS}
    callback = guarded(windows=windows).attach(trainer)
    seen = {}
    observe = callback.monitor.observe
    callback.monitor.observe = lambda model, step: seen.setdefault(step, observe(model, step))
    trainer.train()
    for records in (trainer.state.log_history, tracker.records):
        found = {record["step"]: record for record in readings_in(records)}
        assert list(found) == [0, 1, 4, 5, 13, 14, 16]
        for step in (1, 5, 13):
            names = [name for name in ON_HUMAN_TEXT if f"eval_collapse/{name}" in found[step]]
            assert set(names) == set(BANDED)
            values = {name: found[step][f"eval_collapse/{name}"] for name in names}
            assert values == dict(seen[step])
            assert found[step]["epoch"] == step / 8
    assert [reading.step for reading in callback.monitor.history] == [0, 4, 14, 16]


def test_a_small_look_between_two_records_of_the_run_is_logged_at_its_step(tmp_path: Path) -> None:
    tracker = Recorder()
    trainer = make_trainer(tmp_path, callbacks=[tracker], logging_steps=10)
    # Of two callbacks, neither takes the other's records for the run's own.
    guarded(windows={7: 2, 9: 2, 12: 2}).attach(trainer)
    guarded(windows={8: 2, 9: 2}, name="second").attach(trainer)
    trainer.train()
    for records in (trainer.state.log_history, tracker.records):
        assert [record["step"] for record in readings_in(records)] == [0, 7, 12, 16]
        assert [record["step"] for record in readings_in(records, "second")] == [0, 8, 16]
    steps = [record["step"] for record in tracker.records]
    assert steps == sorted(steps)


def test_the_runs_own_records_stay_as_they_are(tmp_path: Path) -> None:
    plain_tracker, tracker = Recorder(), Recorder()
    plain = make_trainer(tmp_path / "plain", callbacks=[plain_tracker])
    plain.train()
    trainer = make_trainer(tmp_path / "guarded", callbacks=[tracker])
    guarded(windows={step: 1 + step % 2 * (NUM_WINDOWS - 1) for step in range(17)}).attach(trainer)
    trainer.train()
    # The start, odd steps, the first even one after each of the run's own records, and the end.
    assert len(readings_in(tracker.records)) == 1 + 8 + 5 + 1
    assert len(losses_in(plain_tracker.records)) == 5
    assert losses_in(tracker.records) == losses_in(plain_tracker.records)
    assert losses_in(trainer.state.log_history) == losses_in(plain.state.log_history)


def test_without_attach_the_history_has_them_and_trackers_are_missed_aloud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = make_trainer(tmp_path, callbacks=[guarded(windows={4: 2, 10: NUM_WINDOWS})])
    trainer.train()
    steps = [record["step"] for record in readings_in(trainer.state.log_history)]
    assert steps == [0, 4, 10, 16]
    assert "attach(trainer)" not in caplog.text
    trainer.args.report_to = ["some_tracker"]
    trainer.train()
    assert "not some_tracker: call attach(trainer)" in caplog.text


def test_the_budget_is_the_default(tmp_path: Path) -> None:
    # Steps that take next to no time leave nothing for looks between the first and the last.
    monitor = CollapseMonitor(tiny_panel(), pace=Budget(1e-6), sampling=BRIEF)
    trainer = make_trainer(tmp_path, eval_strategy="epoch")
    CollapseGuardCallback(monitor, on_error="raise").attach(trainer)
    trainer.train()
    assert [reading.step for reading in monitor.history] == [0, 8, 16]
    assert monitor.overhead_spent > 1e-6


def test_metrics_choose_the_best_model_and_stop_early(tmp_path: Path) -> None:
    # The stopper stands first in the list, and still finds the reading.
    trainer = make_trainer(
        tmp_path,
        callbacks=[EarlyStoppingCallback(early_stopping_patience=2)],
        eval_strategy="steps",
        eval_steps=2,
        save_strategy="steps",
        save_steps=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_collapse/tail_retention",
        learning_rate=0.03,
    )
    callback = guarded(every_n_steps=1_000).attach(trainer)
    trainer.train()
    assert trainer.args.greater_is_better
    looked = {r.step: r["tail_retention"] for r in callback.monitor.history}
    best = max((step for step in looked if step), key=lambda step: looked[step])
    assert trainer.state.best_global_step == best
    assert trainer.state.best_metric == looked[best]
    # Learning costs the tail at first, so that the best comes early, and two worse ones end it.
    assert trainer.state.global_step == best + 4 < 16
    # What was loaded is what was best.
    again = CollapseMonitor(tiny_panel(), baseline=callback.monitor.baseline, sampling=BRIEF)
    assert again.look(trainer.model, 0)["tail_retention"] == looked[best]


def test_evaluating_before_training_takes_the_start(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    callback = guarded().attach(trainer)
    metrics = trainer.evaluate()
    assert metrics["eval_collapse/tail_retention"] == 1.0
    # Of no training yet.
    assert "eval_collapse/overhead" not in metrics
    trainer.train()
    assert callback.monitor.history[0]["perplexity"] == metrics["eval_collapse/perplexity"]
    assert callback.monitor.history[-1]["tail_retention"] != 1.0


def test_the_time_before_training_is_no_training(tmp_path: Path) -> None:
    now = [0.0]
    callback = guarded(every_n_steps=1_000)
    callback.monitor._run.clock = Stopwatch(lambda: now[0])
    trainer = make_trainer(tmp_path)
    callback.attach(trainer)
    trainer.evaluate()
    now[0] = 1_000.0
    trainer.train()
    assert callback.monitor._run.clock.trained == 0.0


def test_a_started_monitor_keeps_its_start(tmp_path: Path) -> None:
    callback = guarded()
    callback.monitor.start(tiny_gpt2(seed=5))
    trainer = make_trainer(tmp_path)
    callback.attach(trainer)
    trainer.train()
    first = readings_in(trainer.state.log_history)[0]
    assert first["step"] == 0
    assert first["eval_collapse/tail_retention"] != 1.0


def test_two_callbacks_are_told_apart_by_name(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    callback = guarded().attach(trainer)
    assert callback.attach(trainer) is callback
    with pytest.raises(ArgumentError, match="`name` expected a name that no other callback"):
        guarded().attach(trainer)
    with pytest.raises(ArgumentError, match="`name` expected a name that no other callback"):
        make_trainer(tmp_path, callbacks=[guarded(), guarded(on_error="report")]).train()
    guarded(name="code", windows={7: NUM_WINDOWS}).attach(trainer)
    metrics = trainer.evaluate()
    assert {"eval_collapse/tail_retention", "eval_code/tail_retention"} <= set(metrics)
    trainer.train()
    history = trainer.state.log_history
    assert [record["step"] for record in readings_in(history, "code")] == [0, 7, 16]
    assert [record["step"] for record in readings_in(history)] == [0, 5, 10, 15, 16]
    # Once more, with the state that this one has left behind.
    trainer.train()


class Breaks(CollapseMonitor):
    """Fails at every look from the given step on."""

    def __init__(self, error: Exception, from_step: int) -> None:
        super().__init__(tiny_panel(), pace=EveryNSteps(2))
        self.error, self.from_step = error, from_step

    def _look_at_all(self, model: torch.nn.Module, step: int) -> Any:
        if step >= self.from_step:
            raise self.error
        return super()._look_at_all(model, step)


OOM = "CUDA out of memory. Tried to allocate 2.00 GiB."


@pytest.mark.parametrize(
    ("error", "from_step"),
    [
        (ValueError("broken"), 0),
        (ValueError("broken"), 6),
        (torch.OutOfMemoryError(OOM), 6),
        (RuntimeError(OOM), 6),
    ],
    ids=["start", "value", "oom", "like_oom"],
)
def test_failures_are_reported_once_and_harm_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception, from_step: int
) -> None:
    plain = make_trainer(tmp_path / "plain", eval_strategy="epoch")
    plain.train()
    trainer = make_trainer(
        tmp_path / "guarded",
        eval_strategy="epoch",
        auto_find_batch_size=True,
        save_strategy="epoch",
        load_best_model_at_end=False,
        metric_for_best_model="eval_collapse/tail_retention",
    )
    CollapseGuardCallback(Breaks(error, from_step)).attach(trainer)
    with caplog.at_level(logging.ERROR, "collapse_guard"):
        trainer.train()
    assert sum(str(error) in str(r.exc_info) for r in caplog.records if r.exc_info) == 1
    assert fingerprint(trainer)[0] == fingerprint(plain)[0]
    metrics = [record for record in trainer.state.log_history if "eval_loss" in record]
    assert [record["step"] for record in metrics] == [8, 16]


def test_a_best_model_can_be_chosen_though_looks_fail(tmp_path: Path) -> None:
    trainer = make_trainer(
        tmp_path,
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="eval_collapse/tail_retention",
    )
    CollapseGuardCallback(Breaks(ValueError(), 16)).attach(trainer)
    trainer.train()
    assert trainer.state.best_global_step == 8


def test_a_failed_evaluation_reads_nothing(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    CollapseGuardCallback(Breaks(ValueError(), 0)).attach(trainer)
    ours = {key: value for key, value in trainer.evaluate().items() if "collapse" in key}
    assert ours == {"eval_collapse/watched": 0.0}


def test_failures_are_raised_where_wanted(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    CollapseGuardCallback(Breaks(ValueError("broken"), 6), on_error="raise").attach(trainer)
    with pytest.raises(ValueError, match="broken"):
        trainer.train()


def test_a_raised_failure_is_not_taken_for_one_of_the_batch_size(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, auto_find_batch_size=True)
    callback = CollapseGuardCallback(Breaks(RuntimeError(OOM), 6), on_error="raise")
    callback.attach(trainer)
    with pytest.raises(CollapseGuardError, match="taking a reading failed: CUDA out of memory"):
        trainer.train()
    assert trainer.state.train_batch_size == 4


def test_a_loaded_best_model_is_not_read_as_the_last(tmp_path: Path) -> None:
    trainer = make_trainer(
        tmp_path,
        model=tiny_llama(),
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
    )
    callback = guarded(every_n_steps=1_000).attach(trainer)
    trainer.train()
    assert [reading.step for reading in callback.monitor.history] == [0, 8, 16]


@pytest.mark.parametrize("packs", [False, True])
def test_a_mix_that_would_be_shuffled_is_refused_before_the_first_batch(
    tmp_path: Path, packs: bool
) -> None:
    def trainer_on(mix: Any, **arguments: Any) -> Any:
        trainer = make_trainer(tmp_path, num_train_epochs=1, **arguments)
        trainer.train_dataset = mix
        if packs:
            trainer.data_collator = PackCollator()
        return trainer

    rows = make_trainer(tmp_path).train_dataset
    examples = [rows[index] for index in range(len(rows))]
    mix: Any = MixGuard(examples, examples, human_fraction=0.5, block_size=4)
    if packs:
        mix = PackedMix(mix, len(examples[0]["input_ids"]))
    shuffled = trainer_on(mix)
    callback = guarded(on_error="report").attach(shuffled)
    with pytest.raises(MixOrderError, match="train_sampling_strategy"):
        shuffled.train()
    assert not callback.monitor.started
    in_order = trainer_on(mix, train_sampling_strategy="sequential")
    guarded().attach(in_order)
    in_order.train()
    assert in_order.state.global_step == 16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"on_alert": "halt"}, "`on_alert`"),
        ({"on_error": "ignore"}, "`on_error`"),
        ({"name": "a/b"}, "`name`"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        guarded(**arguments)
    with pytest.raises(ArgumentError, match="`monitor` expected a CollapseMonitor"):
        CollapseGuardCallback(tiny_panel())  # type: ignore[arg-type]
