"""Small runs of Lightning, for the tests of its callback."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers.logger import DummyLogger

from collapse_guard import CollapseMonitor, EveryNSteps, Threshold
from collapse_guard.callbacks import CollapseGuard
from tests.paces import Scripted
from tests.tiny import tiny_gpt2, tiny_panel, zipf_documents

# What Lightning says about small runs without workers, and about packages that are newer than it.
QUIET = [
    pytest.mark.filterwarnings("ignore:The '\\w+' does not have many workers"),
    pytest.mark.filterwarnings("ignore:`LightningModule.configure_optimizers` returned `None`"),
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
    pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.. is deprecated"),
    # What it says about checkpoints of a run that another trainer goes on with.
    pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`"),
    pytest.mark.filterwarnings("ignore:The dirpath has changed"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
]

ALWAYS_BROKEN = Threshold("perplexity", above=0.0)


class LanguageModule(pl.LightningModule):
    def __init__(self, net: torch.nn.Module | None = None) -> None:
        super().__init__()
        self.net = tiny_gpt2(dropout=0.1) if net is None else net
        self.losses: list[float] = []

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        loss = self.net(input_ids=batch, labels=batch).loss
        self.losses.append(float(loss.detach()))
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.log("val_loss", self.net(input_ids=batch, labels=batch).loss)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-2)


class Recorder(DummyLogger):
    """Keeps what a logger would write."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[tuple[int, dict[str, Any]]] = []

    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        self.records.append((step, dict(metrics)))

    def of(self, key: str) -> list[tuple[int, float]]:
        return [(step, record[key]) for step, record in self.records if key in record]


def rows(seed: int = 9, *, shuffle: bool = True) -> torch.utils.data.DataLoader:
    ids = torch.tensor(zipf_documents(32, length=16, seed=seed))
    return torch.utils.data.DataLoader(ids, batch_size=4, shuffle=shuffle)


def held_out() -> torch.utils.data.DataLoader:
    return rows(10, shuffle=False)


def make_trainer(folder: Path, *callbacks: pl.Callback, **arguments: Any) -> pl.Trainer:
    settings = {
        "default_root_dir": folder,
        "accelerator": "cpu",
        "max_epochs": 2,
        "logger": False,
        "log_every_n_steps": 3,
        "enable_checkpointing": any(isinstance(each, ModelCheckpoint) for each in callbacks),
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return pl.Trainer(callbacks=list(callbacks), **{**settings, **arguments})


def every(steps: int, **arguments: Any) -> CollapseMonitor:
    settings = {"sampling": None, "rules_wait": False, **arguments}
    return CollapseMonitor(tiny_panel(), pace=EveryNSteps(steps), **settings)


def small_looks(rules: Sequence[Threshold]) -> CollapseMonitor:
    monitor = every(1, rules=rules)
    monitor._run.schedule = Scripted(2)
    return monitor


def guarded(monitor: CollapseMonitor | None = None, **arguments: Any) -> CollapseGuard:
    return CollapseGuard(monitor or every(5, rules=[]), **{"on_error": "raise", **arguments})


def steps_looked_at(guard: CollapseGuard) -> list[int]:
    return [reading.step for reading in guard.monitor.history]


def fit(trainer: pl.Trainer, module: pl.LightningModule | None = None, **arguments: Any) -> Any:
    torch.manual_seed(3)
    module = LanguageModule() if module is None else module
    trainer.fit(module, **{"train_dataloaders": rows(), **arguments})
    return module


def fingerprint(trainer: pl.Trainer, module: LanguageModule) -> list[Any]:
    optimizer = [
        value.tolist() if isinstance(value, torch.Tensor) else value
        for state in trainer.optimizers[0].state.values()
        for value in state.values()
    ]
    name, keys, *rest = np.random.get_state()
    return [
        {name: value.tolist() for name, value in module.state_dict().items()},
        optimizer,
        random.getstate(),
        (name, keys.tolist(), rest),
        torch.get_rng_state().tolist(),
        [each.training for each in module.modules()],
        [parameter.requires_grad for parameter in module.parameters()],
        [len(each._forward_hooks) for each in module.modules()],
        module.losses,
    ]
