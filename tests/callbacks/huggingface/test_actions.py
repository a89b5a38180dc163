"""What an alert makes a Trainer do."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerCallback

from collapse_guard import Alert, ArgumentError, Threshold
from collapse_guard.callbacks import CollapseGuardCallback
from tests.callbacks.huggingface.runs import guarded, make_trainer, readings_in
from tests.tiny import tiny_gpt2, tiny_panel

NUM_WINDOWS = len(tiny_panel())


def always_broken(**arguments: Any) -> Threshold:
    return Threshold("perplexity", above=0.0, alpha=None, **arguments)


def checkpoints(folder: Path) -> list[int]:
    return sorted(int(path.name.partition("-")[2]) for path in folder.glob("checkpoint-*"))


class Weights(TrainerCallback):
    """Keeps what is trained after each step."""

    def __init__(self) -> None:
        self.after: dict[int, torch.Tensor] = {}

    def on_step_end(self, args, state, control, model=None, **kwargs) -> None:
        self.after[state.global_step] = model.transformer.ln_f.weight.detach().clone()


def saved_weights(folder: Path, step: int) -> torch.Tensor:
    return load_file(folder / f"checkpoint-{step}" / "model.safetensors")["transformer.ln_f.weight"]


def test_alerts_go_to_the_sink_and_training_goes_on(tmp_path: Path) -> None:
    alerts: list[Alert] = []
    trainer = make_trainer(tmp_path)
    guarded(rules=[always_broken()], sink=alerts.append).attach(trainer)
    trainer.train()
    assert [alert.step for alert in alerts] == [5]
    assert trainer.state.global_step == 16
    counts = [r["eval_collapse/alerts"] for r in readings_in(trainer.state.log_history)]
    assert counts == [0, 1, 1, 1, 1]
    assert checkpoints(tmp_path) == []


def test_alerts_go_to_the_logger_by_default(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = make_trainer(tmp_path)
    guarded(rules=[always_broken()]).attach(trainer)
    trainer.train()
    assert "perplexity is" in caplog.text


def test_a_small_look_that_raises_an_alert_is_logged_at_once(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    rule = Threshold("head_retention", above=0.0, alpha=None, patience=2)
    guarded(rules=[rule], windows={4: 2, 5: 2, 6: 2}).attach(trainer)
    trainer.train()
    found = readings_in(trainer.state.log_history)
    # The run itself logs after step 6.
    assert [(r["step"], r["eval_collapse/alerts"]) for r in found] == [
        (0, 0),
        (4, 0),
        (5, 1),
        (16, 1),
    ]


@pytest.mark.parametrize(("severity", "steps"), [("info", 16), ("warn", 5), ("critical", 5)])
def test_alerts_stop_the_run(tmp_path: Path, severity: Any, steps: int) -> None:
    trainer = make_trainer(tmp_path)
    guarded(rules=[always_broken(severity=severity)], on_alert="stop").attach(trainer)
    trainer.train()
    assert trainer.state.global_step == steps
    assert checkpoints(tmp_path) == []


@pytest.mark.parametrize("save_strategy", ["no", "steps", "epoch"])
def test_a_checkpoint_of_the_alerts_step_is_saved(tmp_path: Path, save_strategy: str) -> None:
    weights = Weights()
    trainer = make_trainer(
        tmp_path, callbacks=[weights], save_strategy=save_strategy, save_steps=100
    )
    guarded(rules=[always_broken()], on_alert="save", sink=lambda alert: None).attach(trainer)
    trainer.train()
    assert trainer.state.global_step == 16
    expected = {"no": [5], "steps": [5, 16], "epoch": [5, 8, 16]}
    assert checkpoints(tmp_path) == expected[save_strategy]
    assert torch.equal(saved_weights(tmp_path, 5), weights.after[5])
    assert not torch.equal(weights.after[5], weights.after[16])


def test_save_and_stop(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    guarded(rules=[always_broken()], on_alert="save_and_stop").attach(trainer)
    trainer.train()
    assert trainer.state.global_step == 5
    assert checkpoints(tmp_path) == [5]
    # What was stopped can be gone on with.
    resumed = make_trainer(tmp_path)
    callback = guarded(rules=[always_broken()], on_alert="save_and_stop").attach(resumed)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-5"))
    assert resumed.state.global_step == 16
    assert [alert.step for alert in callback.monitor.alerts] == [5]


@pytest.mark.parametrize("every_n_steps", [4, 1_000], ids=["at_a_step", "at_an_evaluation"])
def test_saving_the_best_model_only_does_not_forget_the_alerts(
    tmp_path: Path, every_n_steps: int
) -> None:
    weights = Weights()
    trainer = make_trainer(
        tmp_path,
        callbacks=[weights],
        eval_strategy="steps",
        eval_steps=4,
        save_strategy="best",
        # The first evaluation is the best one; the alert comes with the second.
        metric_for_best_model="eval_collapse/alerts",
        greater_is_better=False,
    )
    rule = always_broken(patience=2)
    guarded(rules=[rule], every_n_steps=every_n_steps, on_alert="save").attach(trainer)
    trainer.train()
    assert checkpoints(tmp_path) == [4, 8]
    assert torch.equal(saved_weights(tmp_path, 8), weights.after[8])
    assert trainer.args.save_strategy == "best"
    assert trainer.state.best_global_step == 4


def test_an_alert_at_the_start_acts_after_the_first_step(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    callback = guarded(rules=[always_broken()], on_alert="save_and_stop")
    callback.monitor.start(tiny_gpt2(seed=5))
    callback.attach(trainer)
    trainer.train()
    assert [alert.step for alert in callback.monitor.alerts] == [0]
    assert trainer.state.global_step == 1
    assert checkpoints(tmp_path) == [1]


def test_the_last_look_of_a_stopped_run_can_still_save(tmp_path: Path) -> None:
    class Stops(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs) -> None:
            control.should_training_stop = state.global_step == 3

    trainer = make_trainer(tmp_path, callbacks=[Stops()])
    guarded(rules=[always_broken()], on_alert="save").attach(trainer)
    trainer.train()
    steps = [record["step"] for record in readings_in(trainer.state.log_history)]
    assert steps == [0, 3]
    assert checkpoints(tmp_path) == [3]


def test_an_alert_in_an_evaluation_after_training_saves_nothing(tmp_path: Path) -> None:
    trainer = make_trainer(
        tmp_path,
        max_steps=2,
        save_strategy="best",
        eval_strategy="epoch",
        metric_for_best_model="loss",
    )
    rule = always_broken(patience=2)
    callback = guarded(rules=[rule], on_alert="save").attach(trainer)
    trainer.train()
    before = checkpoints(tmp_path)
    trainer.state.global_step = 3
    trainer.evaluate()
    assert len(callback.monitor.alerts) == 1
    assert checkpoints(tmp_path) == before
    assert trainer.args.save_strategy == "best"


@pytest.mark.parametrize(
    ("answer", "steps", "saved"),
    [(None, 16, []), ("log", 16, []), ("save", 16, [5]), ("save_and_stop", 5, [5])],
)
def test_a_function_decides(tmp_path: Path, answer: Any, steps: int, saved: list[int]) -> None:
    asked: list[Alert] = []

    def decide(alert: Alert) -> Any:
        asked.append(alert)
        return answer

    trainer = make_trainer(tmp_path)
    rules = [always_broken(), Threshold("tail_prob", above=-1.0, alpha=None, severity="info")]
    guarded(rules=rules, on_alert=decide).attach(trainer)
    trainer.train()
    assert [(alert.step, alert.reading) for alert in asked] == [(5, "perplexity")]
    assert trainer.state.global_step == steps
    assert checkpoints(tmp_path) == saved


def test_a_function_that_answers_nonsense(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def attached(**arguments: Any) -> Any:
        trainer = make_trainer(tmp_path)
        callback = guarded(rules=[always_broken()], on_alert=lambda alert: "panic", **arguments)
        callback.attach(trainer)
        return trainer

    trainer = attached(on_error="report")
    trainer.train()
    assert trainer.state.global_step == 16
    assert "expected one of" in caplog.text
    with pytest.raises(ArgumentError, match="'panic'"):
        attached().train()


def test_a_failing_sink_does_not_end_the_run_nor_stop_the_action(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(alert: Alert) -> None:
        raise ConnectionError("no mail today")

    trainer = make_trainer(tmp_path)
    callback: CollapseGuardCallback = guarded(
        rules=[always_broken()], sink=fail, on_error="report", on_alert="stop"
    )
    callback.attach(trainer)
    trainer.train()
    assert trainer.state.global_step == 5
    assert "no mail today" in caplog.text
