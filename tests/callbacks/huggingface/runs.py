"""Tiny Hugging Face runs, and what tests look at in them."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from collapse_guard import CollapseMonitor, EveryNSteps
from collapse_guard.callbacks import CollapseGuardCallback
from tests.paces import Scripted
from tests.tiny import tiny_gpt2, tiny_panel, zipf_documents


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
    """A run of 16 steps: 2 epochs of 8."""
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
    """A callback that looks at the whole panel every 5 steps, or at `windows` by step."""
    settings = {
        name: arguments.pop(name)
        for name in ("rules", "against_base", "sampling")
        if name in arguments
    }
    every_n_steps = arguments.pop("every_n_steps", 5)
    windows = arguments.pop("windows", None)
    monitor = CollapseMonitor(
        tiny_panel(),
        pace=EveryNSteps(every_n_steps),
        rules_wait=False,
        **{"rules": None, "sampling": None, **settings},
    )
    if windows is not None:
        monitor._run.schedule = Scripted(windows)
    return CollapseGuardCallback(monitor, **{"on_error": "raise", **arguments})


def readings_in(records: list[dict[str, Any]], name: str = "collapse") -> list[dict[str, Any]]:
    """The records of looks, but for `overhead`: that is a time, different in every run."""
    return [
        {key: value for key, value in record.items() if not key.endswith("/overhead")}
        for record in records
        if f"eval_{name}/tail_retention" in record
    ]


def losses_in(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if "loss" in record]


def fingerprint(trainer: Trainer) -> list[Any]:
    """Everything that a callback may not change."""
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
