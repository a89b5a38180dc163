"""What an evaluation is told of readings that could and could not be had."""

import math
from pathlib import Path
from typing import Any

import pytest
from transformers import EarlyStoppingCallback, TrainingArguments

from collapse_guard import ScoringError
from collapse_guard.callbacks import CollapseGuardCallback
from collapse_guard.callbacks.huggingface.evaluation import (
    MissingMetric,
    best_model_key,
    sums_all_metrics,
)
from tests.callbacks.failing_looks import failing
from tests.callbacks.huggingface.runs import Recorder, fingerprint, make_trainer
from tests.tiny import tiny_gpt2

KEY = "eval_collapse/tail_retention"
FOLLOWED = {
    "eval_strategy": "steps",
    "eval_steps": 2,
    "save_strategy": "steps",
    "save_steps": 2,
    "load_best_model_at_end": True,
    "metric_for_best_model": KEY,
}


@pytest.mark.parametrize("how", ["raises", "gives NaN"])
def test_a_stopper_passes_over_a_look_that_failed(tmp_path: Path, how: str) -> None:
    arguments = {
        **FOLLOWED,
        "metric_for_best_model": "eval_collapse/perplexity",
        "greater_is_better": False,
        "load_best_model_at_end": False,
        "num_train_epochs": 1,
    }
    plain = make_trainer(tmp_path / "plain", **{**arguments, "metric_for_best_model": "loss"})
    plain.train()
    tracker = Recorder()
    trainer = make_trainer(tmp_path / "guarded", callbacks=[tracker], **arguments)
    guard = CollapseGuardCallback(failing(4, how=how)).attach(trainer)
    # Added after the callback was attached.
    trainer.add_callback(EarlyStoppingCallback(early_stopping_patience=1))
    trainer.train()
    # Perplexity falls, so that nothing but the look that failed could end the run.
    assert [look.step for look in guard.monitor.history] == [0, 2, 6, 8]
    assert trainer.state.best_global_step == trainer.state.global_step == 8
    assert fingerprint(trainer) == fingerprint(plain)
    for record in [*tracker.records, *trainer.state.log_history]:
        assert not any(isinstance(value, float) and math.isnan(value) for value in record.values())


@pytest.mark.parametrize(("how", "is_attached"), [("raises", True), ("gives NaN", False)])
def test_a_scheduler_counts_a_look_that_failed_as_no_improvement(
    tmp_path: Path, how: str, is_attached: bool
) -> None:
    rates = []
    for steps in ((), (4,)):
        trainer = make_trainer(
            tmp_path,
            num_train_epochs=1,
            learning_rate=1e-3,
            eval_strategy="steps",
            eval_steps=2,
            lr_scheduler_type="reduce_lr_on_plateau",
            lr_scheduler_kwargs={"mode": "min", "patience": 0, "factor": 0.5},
            metric_for_best_model="eval_collapse/perplexity",
            greater_is_better=False,
        )
        guard = CollapseGuardCallback(failing(*steps, how=how))
        guard.attach(trainer) if is_attached else trainer.add_callback(guard)
        trainer.train()
        assert trainer.state.global_step == 8
        rates.append(trainer.optimizer.param_groups[0]["lr"])
    # Perplexity falls, so that nothing but the look that failed could lower the rate.
    assert rates == [1e-3, 0.5e-3]


def test_looks_that_fail_for_good_stop_nothing_and_are_never_the_best(tmp_path: Path) -> None:
    trainer = make_trainer(
        tmp_path, callbacks=[EarlyStoppingCallback(early_stopping_patience=1)], **FOLLOWED
    )
    CollapseGuardCallback(failing(*range(4, 17))).attach(trainer)
    trainer.train()
    assert trainer.state.global_step == 16
    assert trainer.state.best_global_step == 2
    never = make_trainer(
        tmp_path, callbacks=[EarlyStoppingCallback(early_stopping_patience=1)], **FOLLOWED
    )
    CollapseGuardCallback(failing(*range(17))).attach(never)
    never.train()
    assert never.state.global_step == 16
    assert never.state.best_global_step is None


def test_alone_it_says_what_a_stopper_makes_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guard = CollapseGuardCallback(failing(4))
    trainer = make_trainer(
        tmp_path,
        callbacks=[guard, EarlyStoppingCallback(early_stopping_patience=9)],
        **FOLLOWED,
    )
    trainer.train()
    assert trainer.state.global_step == 16
    assert caplog.text.count("attach(trainer) keeps it from that") == 1


@pytest.mark.parametrize("name", [None, "loss", "eval_loss", "collapse/perplexity"])
def test_the_best_models_metric_is_called_as_the_trainer_calls_it(
    name: Any, tmp_path: Path
) -> None:
    args = TrainingArguments(str(tmp_path), metric_for_best_model=name, use_cpu=True)
    expected = {None: None, "loss": "eval_loss", "collapse/perplexity": "eval_collapse/perplexity"}
    assert best_model_key(args) == expected.get(name, name)


def test_only_what_is_ours_and_missing_is_filled_in(tmp_path: Path) -> None:
    ours = TrainingArguments(str(tmp_path), metric_for_best_model=KEY, use_cpu=True)
    others = TrainingArguments(str(tmp_path), metric_for_best_model="eval_f1", use_cpu=True)
    filler = MissingMetric("eval_collapse/")
    for args, metrics, expected in (
        (others, {}, {}),
        (ours, {KEY: 0.5}, {KEY: 0.5}),
    ):
        filler.fill_in(args, metrics)
        assert metrics == expected
    metrics: dict[str, Any] = {}
    filler.fill_in(ours, metrics)
    assert math.isnan(metrics[KEY])


def test_an_evaluation_outside_of_training_is_left_alone(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, **FOLLOWED)
    CollapseGuardCallback(failing(0)).attach(trainer)
    assert KEY not in trainer.evaluate()


def test_a_search_without_an_objective_sums(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    assert not sums_all_metrics(trainer, trainer.state)
    assert not sums_all_metrics(None, trainer.state)
    trainer.state.is_hyper_param_search = True
    assert sums_all_metrics(trainer, trainer.state)
    assert sums_all_metrics(None, trainer.state)
    trainer.compute_objective = lambda metrics: metrics["eval_loss"]
    assert not sums_all_metrics(trainer, trainer.state)


def test_what_fails_is_a_scoring_error() -> None:
    """The spoilt model fails as one does whose logits are not finite."""
    with pytest.raises(ScoringError):
        failing(0, how="gives NaN").start(tiny_gpt2())
