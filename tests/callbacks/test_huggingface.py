import json
import logging
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainingArguments

from collapse_guard import Alert, ArgumentError, CollapseMonitor, Threshold
from collapse_guard.callbacks import CollapseGuardCallback
from collapse_guard.readings import READINGS
from tests.tiny import tiny_gpt2, tiny_llama, tiny_panel, zipf_documents

ALWAYS_BROKEN = Threshold("perplexity", above=0.0)


class Rows(torch.utils.data.Dataset):
    def __init__(self, seed: int = 9) -> None:
        self.rows = [torch.tensor(ids) for ids in zipf_documents(32, length=16, seed=seed)]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"input_ids": self.rows[index], "labels": self.rows[index]}


class Recorder(TrainerCallback):
    """Stands where a tracker stands, and keeps what a tracker would send."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:
        self.records.append({**logs, "step": state.global_step})


def make_trainer(folder: Path, *, model=None, callbacks=(), **arguments: Any) -> Trainer:
    settings = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 4,
        "num_train_epochs": 2,
        "learning_rate": 1e-2,
        "logging_steps": 3,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "seed": 3,
    }
    return Trainer(
        model=tiny_gpt2(dropout=0.1) if model is None else model,
        args=TrainingArguments(**{**settings, **arguments}),
        train_dataset=Rows(),
        eval_dataset=Rows(seed=10),
        callbacks=list(callbacks),
    )


def guarded(**arguments: Any) -> CollapseGuardCallback:
    monitor = CollapseMonitor(tiny_panel(), rules=arguments.pop("rules", None))
    return CollapseGuardCallback(monitor, **{"every_n_steps": 5, "on_error": "raise", **arguments})


def readings_in(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if "eval_collapse/tail_retention" in record]


def losses_in(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if "loss" in record]


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
    assert {name: last[f"eval_collapse/{name}"] for name in READINGS} == dict(reading)
    assert last["eval_collapse/tail_retention_se"] == reading.standard_errors["tail_retention"]
    assert last["epoch"] == 2.0
    json.dumps(trainer.state.log_history, allow_nan=False)


def test_the_runs_own_records_stay_as_they_are(tmp_path: Path) -> None:
    plain_tracker, tracker = Recorder(), Recorder()
    plain = make_trainer(tmp_path / "plain", callbacks=[plain_tracker])
    plain.train()
    trainer = make_trainer(tmp_path / "guarded", callbacks=[tracker])
    guarded(every_n_steps=1).attach(trainer)
    trainer.train()
    assert len(losses_in(plain_tracker.records)) == 5
    assert losses_in(tracker.records) == losses_in(plain_tracker.records)
    assert losses_in(trainer.state.log_history) == losses_in(plain.state.log_history)


def test_without_attach_the_history_has_them_and_trackers_are_missed_aloud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(tmp_path, callbacks=[guarded()])
    trainer.train()
    assert [record["step"] for record in readings_in(trainer.state.log_history)] == [
        0,
        5,
        10,
        15,
        16,
    ]
    assert "attach(trainer)" not in caplog.text
    trainer.args.report_to = ["some_tracker"]
    trainer.train()
    assert "not some_tracker: call attach(trainer)" in caplog.text


def fingerprint(trainer: Trainer) -> list[Any]:
    optimizer = [
        value.tolist() if isinstance(value, torch.Tensor) else value
        for state in trainer.optimizer.state.values()
        for value in state.values()
    ]
    name, keys, *rest = np.random.get_state()
    return [
        {name: value.tolist() for name, value in trainer.model.state_dict().items()},
        optimizer,
        random.getstate(),
        (name, keys.tolist(), rest),
        torch.get_rng_state().tolist(),
        [module.training for module in trainer.model.modules()],
        [parameter.requires_grad for parameter in trainer.model.parameters()],
        losses_in(trainer.state.log_history),
    ]


@pytest.mark.parametrize("adapter", [False, True])
@pytest.mark.parametrize(
    "arguments",
    [{}, {"gradient_accumulation_steps": 2, "bf16": True}, {"activation_checkpointing": True}],
    ids=["plain", "bf16", "checkpointing"],
)
def test_training_is_bit_identical(
    tmp_path: Path, arguments: dict[str, Any], adapter: bool
) -> None:
    def run(attached: bool) -> list[Any]:
        model = tiny_gpt2(dropout=0.1)
        if adapter:
            torch.manual_seed(0)
            model = get_peft_model(
                model,
                LoraConfig(r=2, lora_dropout=0.1, target_modules=["c_attn"], fan_in_fan_out=True),
            )
        # A part that the user froze in evaluation mode must stay so.
        next(module for module in model.modules() if isinstance(module, torch.nn.LayerNorm)).eval()
        trainer = make_trainer(
            tmp_path, model=model, eval_strategy="steps", eval_steps=4, **arguments
        )
        if attached:
            guarded(every_n_steps=1).attach(trainer)
        trainer.train()
        return fingerprint(trainer)

    assert run(True) == run(False)


def test_alerts_go_to_the_sink_and_training_goes_on(tmp_path: Path) -> None:
    alerts: list[Alert] = []
    trainer = make_trainer(tmp_path)
    guarded(rules=[ALWAYS_BROKEN], sink=alerts.append).attach(trainer)
    trainer.train()
    assert [alert.step for alert in alerts] == [5]
    assert trainer.state.global_step == 16
    counts = [r["eval_collapse/alerts"] for r in readings_in(trainer.state.log_history)]
    assert counts == [0, 1, 1, 1, 1]


def test_alerts_go_to_the_logger_by_default(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = make_trainer(tmp_path)
    guarded(rules=[ALWAYS_BROKEN]).attach(trainer)
    trainer.train()
    assert "perplexity is" in caplog.text


@pytest.mark.parametrize(("severity", "steps"), [("info", 16), ("warn", 5), ("critical", 5)])
def test_alerts_stop_the_run(tmp_path: Path, severity: Any, steps: int) -> None:
    trainer = make_trainer(tmp_path)
    rule = Threshold("perplexity", above=0.0, severity=severity)
    guarded(rules=[rule], on_alert="stop").attach(trainer)
    trainer.train()
    assert trainer.state.global_step == steps


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
        metric_for_best_model="eval_collapse/perplexity",
        greater_is_better=True,
        learning_rate=0.03,
    )
    callback = guarded(every_n_steps=1_000).attach(trainer)
    trainer.train()
    looked = {r.step: r["perplexity"] for r in callback.monitor.history}
    best = max((step for step in looked if step), key=lambda step: looked[step])
    assert trainer.state.best_global_step == best
    assert trainer.state.best_metric == looked[best]
    # Perplexity falls in training, so "greater is better" has its best at once, and stops after 2.
    assert trainer.state.global_step == best + 4


def test_evaluating_before_training_takes_the_start(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    callback = guarded().attach(trainer)
    metrics = trainer.evaluate()
    assert metrics["eval_collapse/tail_retention"] == 1.0
    trainer.train()
    assert callback.monitor.history[0]["perplexity"] == metrics["eval_collapse/perplexity"]
    assert callback.monitor.history[-1]["tail_retention"] != 1.0


def test_a_started_monitor_keeps_its_start(tmp_path: Path) -> None:
    callback = guarded()
    callback.monitor.start(tiny_gpt2(seed=5))
    trainer = make_trainer(tmp_path)
    callback.attach(trainer)
    trainer.train()
    first = readings_in(trainer.state.log_history)[0]
    assert first["step"] == 0
    assert first["eval_collapse/tail_retention"] != 1.0


def test_a_resumed_run_goes_on_with_its_start(tmp_path: Path) -> None:
    rule = Threshold("perplexity", above=0.0, patience=3)

    def run(folder: Path, checkpoint: str | None, max_steps: int) -> tuple[Trainer, Any]:
        trainer = make_trainer(folder, save_strategy="steps", save_steps=8, max_steps=max_steps)
        callback = guarded(rules=[rule], every_n_steps=4).attach(trainer)
        second = guarded(rules=[], every_n_steps=8, name="second").attach(trainer)
        trainer.train(resume_from_checkpoint=checkpoint)
        return trainer, (callback, second)

    whole, (reference, _) = run(tmp_path / "whole", None, 16)
    checkpoint = str(tmp_path / "whole" / "checkpoint-8")
    resumed, (callback, second) = run(tmp_path / "resumed", checkpoint, 16)
    assert [reading.step for reading in callback.monitor.history] == [12, 16]
    assert callback.monitor.history == reference.monitor.history[-2:]
    assert [alert.step for alert in callback.monitor.alerts] == [12]
    assert second.monitor.baseline == reference.monitor.baseline
    assert readings_in(resumed.state.log_history) == readings_in(whole.state.log_history)


def test_a_checkpoint_from_before_the_callback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = {"save_strategy": "steps", "save_steps": 8}
    make_trainer(tmp_path, **arguments).train()
    trainer = make_trainer(tmp_path, restore_callback_states_from_checkpoint=True, **arguments)
    callback = guarded().attach(trainer)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-8"))
    assert "compare with the model at step 8" in caplog.text
    assert [reading.step for reading in callback.monitor.history] == [8, 10, 15, 16]
    assert callback.monitor.history[0]["tail_retention"] == 1.0


def test_a_checkpoint_with_the_callback_resumes_without_it(tmp_path: Path) -> None:
    arguments = {"save_strategy": "steps", "save_steps": 8}
    trainer = make_trainer(tmp_path, **arguments)
    guarded().attach(trainer)
    trainer.train()
    later = make_trainer(tmp_path, restore_callback_states_from_checkpoint=True, **arguments)
    later.train(resume_from_checkpoint=str(tmp_path / "checkpoint-8"))
    assert later.state.global_step == 16


class Breaks(CollapseMonitor):
    """Fails at every look from the given step on."""

    def __init__(self, error: Exception, from_step: int) -> None:
        super().__init__(tiny_panel())
        self.error, self.from_step = error, from_step

    def start(self, model: torch.nn.Module, step: int = 0) -> Any:
        if step >= self.from_step:
            raise self.error
        return super().start(model, step)

    def observe(self, model: torch.nn.Module, step: int) -> Any:
        if step >= self.from_step:
            raise self.error
        return super().observe(model, step)


@pytest.mark.parametrize("from_step", [0, 6])
@pytest.mark.parametrize(
    "error", [ValueError("broken"), torch.OutOfMemoryError("out of memory")], ids=["value", "oom"]
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
    CollapseGuardCallback(Breaks(error, from_step), every_n_steps=2).attach(trainer)
    with caplog.at_level(logging.ERROR, "collapse_guard"):
        trainer.train()
    assert str(error) in caplog.text
    assert sum(str(error) in str(r.exc_info) for r in caplog.records if r.exc_info) == 1
    assert fingerprint(trainer)[0] == fingerprint(plain)[0]


def test_a_failed_evaluation_reads_not_a_number(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    CollapseGuardCallback(Breaks(ValueError(), 0)).attach(trainer)
    assert math.isnan(trainer.evaluate()["eval_collapse/tail_retention"])


def test_failures_are_raised_where_wanted(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    CollapseGuardCallback(Breaks(ValueError("broken"), 6), on_error="raise").attach(trainer)
    with pytest.raises(ValueError, match="broken"):
        trainer.train()


def test_a_failing_sink_does_not_end_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(alert: Alert) -> None:
        raise ConnectionError("no mail today")

    trainer = make_trainer(tmp_path)
    guarded(rules=[ALWAYS_BROKEN], sink=fail, on_error="report").attach(trainer)
    trainer.train()
    assert trainer.state.global_step == 16
    assert "no mail today" in caplog.text


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every_n_steps": 0}, "`every_n_steps`"),
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
