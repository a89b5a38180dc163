"""Each `train()` is a run of its own, also with a callback that has watched others."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Trainer
from transformers.hyperparameter_search import ALL_HYPERPARAMETER_SEARCH_BACKENDS
from transformers.trainer_utils import BestRun, HPSearchBackend

from collapse_guard import CollapseMonitor, Threshold
from collapse_guard.callbacks import CollapseGuardCallback
from tests.callbacks.huggingface.runs import Recorder, guarded, make_trainer, readings_in
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel

BROKEN_ONCE = Threshold("perplexity", above=0.0, patience=2, alpha=None)


def guard_of(**arguments: Any) -> CollapseGuardCallback:
    return guarded(rules=[BROKEN_ONCE], **arguments)


def alone(folder: Path, seed: int, **arguments: Any) -> tuple[Trainer, CollapseMonitor]:
    trainer = make_trainer(folder, model=tiny_gpt2(seed=seed), **arguments)
    guard = guard_of().attach(trainer)
    trainer.train()
    return trainer, guard.monitor


@pytest.mark.parametrize("evaluated_before", [False, True])
def test_another_trainer_with_the_same_callback(tmp_path: Path, evaluated_before: bool) -> None:
    guard, trackers = guard_of(), [Recorder(), Recorder()]
    for seed, tracker in zip((5, 6), trackers, strict=True):
        trainer = make_trainer(tmp_path, model=tiny_gpt2(seed=seed), callbacks=[tracker])
        guard.attach(trainer)
        if evaluated_before:
            assert trainer.evaluate()["eval_collapse/tail_retention"] == 1.0
        trainer.train()
        expected, monitor = alone(tmp_path, seed)
        assert readings_in(trainer.state.log_history) == readings_in(expected.state.log_history)
        assert guard.monitor.history == monitor.history
        assert guard.monitor.alerts == monitor.alerts != []
        assert guard.monitor.baseline == monitor.baseline
    # Nothing of the second run went to the trackers of the first one's trainer.
    readings = [readings_in(tracker.records)[-5:] for tracker in trackers]
    assert [len(each) for each in readings] == [5, 5]
    assert readings[0] != readings[1]


def test_more_training_of_the_same_model(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trainer = make_trainer(tmp_path, model=tiny_gpt2())
    guard = guard_of().attach(trainer)
    trainer.train()
    assert "another run begins" not in caplog.text
    first, last = guard.monitor.baseline, guard.monitor.history[-1]
    trainer.train()
    assert caplog.text.count("another run begins at step 0") == 1
    assert guard.monitor.baseline != first
    assert guard.monitor.history[0]["tail_retention"] == 1.0
    assert guard.monitor.history[0]["perplexity"] == pytest.approx(last["perplexity"])
    assert [look.step for look in guard.monitor.history] == [0, 5, 10, 15, 16]
    assert [alert.step for alert in guard.monitor.alerts] == [10]


def test_a_baseline_stays_and_alarms_are_new(tmp_path: Path) -> None:
    first = CollapseMonitor(tiny_panel(), sampling=BRIEF)
    first.start(tiny_gpt2(seed=5))
    monitor = CollapseMonitor(
        tiny_panel(), rules=[BROKEN_ONCE], baseline=first.baseline, sampling=BRIEF
    )
    guard = CollapseGuardCallback(monitor, on_error="raise")
    for seed in (6, 7):
        trainer = make_trainer(tmp_path, model=tiny_gpt2(seed=seed), eval_strategy="epoch")
        guard.attach(trainer)
        trainer.train()
        assert monitor.baseline == first.baseline
        assert [look.step for look in monitor.history] == [0, 8, 16]
        assert [alert.step for alert in monitor.alerts] == [8]
        assert monitor.history[0]["tail_retention"] != 1.0


def test_a_resume_in_the_same_process_goes_on_as_in_another(tmp_path: Path) -> None:
    arguments = {"save_strategy": "steps", "save_steps": 8}
    trainer = make_trainer(tmp_path, model=tiny_gpt2(), **arguments)
    guard = guard_of().attach(trainer)
    trainer.train()
    whole = guard.monitor.history
    logged = readings_in(trainer.state.log_history)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-8"))
    assert guard.monitor.history == whole[-3:]
    assert [alert.step for alert in guard.monitor.alerts] == [10]
    assert readings_in(trainer.state.log_history) == logged


class Trials:
    """A search that tries what it is told, as those of the backends do."""

    def __init__(self, rates: list[float]) -> None:
        self.rates = rates
        self.objectives: list[float] = []

    def __call__(self) -> "Trials":
        return self

    def ensure_available(self) -> None:
        pass

    def run(self, trainer: Trainer, n_trials: int, direction: str, **kwargs: Any) -> BestRun:
        for rate in self.rates:
            trainer.objective = None
            trainer.train(trial={"learning_rate": rate, "assignments": {}})
            metrics = trainer.evaluate()
            self.objectives.append(trainer.compute_objective(metrics))
        return BestRun("0", min(self.objectives), {})


def search(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, watched: bool, **arguments: Any
) -> Any:
    trials = Trials([1e-3, 3e-2])
    monkeypatch.setitem(ALL_HYPERPARAMETER_SEARCH_BACKENDS, HPSearchBackend.WANDB, trials)
    monkeypatch.setattr("transformers.integrations.hp_params", dict)
    monkeypatch.setattr(Trainer, "_get_output_dir", lambda self, trial: self.args.output_dir)
    monkeypatch.setattr(
        Trainer,
        "_hp_search_setup",
        lambda self, trial: trial and setattr(self.args, "learning_rate", trial["learning_rate"]),
    )
    trainer = make_trainer(folder, eval_strategy="epoch")
    trainer.model_init = lambda: tiny_gpt2(seed=5)
    guard, histories = guard_of(), []
    if watched:
        guard.attach(trainer)
        train = trainer.train

        def kept(*args: Any, **kwargs: Any) -> Any:
            output = train(*args, **kwargs)
            histories.append((guard.monitor.history, guard.monitor.alerts))
            return output

        trainer.train = kept
    trainer.hyperparameter_search(backend="wandb", hp_space=dict, n_trials=2, **arguments)
    return trials.objectives, histories


def test_each_trial_of_a_search_is_a_run_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    unwatched, _ = search(tmp_path, monkeypatch, watched=False)
    objectives, histories = search(tmp_path, monkeypatch, watched=True)
    # The sum of all metrics would be the objective: ours are not among them.
    assert objectives == unwatched
    assert caplog.text.count("readings are no part of this search's objective") == 1
    for rate, (history, alerts) in zip((1e-3, 3e-2), histories, strict=True):
        trainer = make_trainer(
            tmp_path, model=tiny_gpt2(seed=5), eval_strategy="epoch", learning_rate=rate
        )
        guard = guard_of().attach(trainer)
        trainer.train()
        assert history == guard.monitor.history
        assert alerts == guard.monitor.alerts != []


def test_a_search_may_be_for_a_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "eval_collapse/tail_retention"
    objectives, histories = search(
        tmp_path, monkeypatch, watched=True, compute_objective=lambda metrics: metrics[key]
    )
    assert objectives == [history[-1]["tail_retention"] for history, _ in histories]
    assert torch.isfinite(torch.tensor(objectives)).all()
