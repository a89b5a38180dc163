"""A run of Lightning that goes on from its last checkpoint, with a loader that has no state."""

import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from collapse_guard import MixCollator
from collapse_guard.alerts.sinks import tell_nobody
from collapse_guard.callbacks import CollapseGuard
from tests.kills.outcome import BATCH, SAVE_EVERY, STEPS, RowLog, finish, mix, monitor
from tests.tiny import tiny_gpt2


class _Module(pl.LightningModule):
    def __init__(self, rows: RowLog) -> None:
        super().__init__()
        # Lightning's checkpoints hold no random states: dropout would differ.
        self.net = tiny_gpt2()
        self._rows = rows

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        time.sleep(0.005)
        self._rows.add(self.global_step, batch["input_ids"])
        return self.net(**batch).loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-2)


def run(folder: Path) -> None:
    """Begin, or go on where the last whole checkpoint was taken."""
    mixed, watch, module = mix(), monitor(), _Module(RowLog(folder))
    trainer = pl.Trainer(
        default_root_dir=folder,
        callbacks=[
            CollapseGuard(watch, sink=tell_nobody, on_error="raise"),
            ModelCheckpoint(
                folder, filename="{step}", every_n_train_steps=SAVE_EVERY, save_top_k=-1
            ),
        ],
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader = DataLoader(mixed, batch_size=BATCH, collate_fn=MixCollator(labels=True))
    trainer.fit(module, loader, ckpt_path=_last_whole(folder))
    finish(folder, module.net, watch, report=str(mixed.report(STEPS * BATCH)))


def _last_whole(folder: Path) -> Path | None:
    checkpoints = sorted(
        folder.glob("step=*.ckpt"), key=lambda path: -int(path.stem.split("=")[1].split("-")[0])
    )
    for path in checkpoints:
        try:
            torch.load(path, weights_only=True)
        except (OSError, RuntimeError, EOFError):
            continue
        return path
    return None
