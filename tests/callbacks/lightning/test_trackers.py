"""Lightning's loggers get our readings, at their own steps, and the run's own records as ever."""

from collections.abc import Callable
from pathlib import Path

import pytest
from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from tests.callbacks.lightning.runs import QUIET, fit, guarded, held_out, make_trainer
from tests.callbacks.tracked_runs import (
    QUIET_TRACKERS,
    Point,
    in_mlflow,
    in_tensorboard,
    taken_by_wandb,
    told,
    told_to_wandb,
)

pytestmark = [*QUIET, *QUIET_TRACKERS]


def check(
    tmp_path: Path, make: Callable[[Path], Logger], read: Callable[[Path], list[Point]]
) -> None:
    both = []
    for name in ("without", "with"):
        folder = tmp_path / name
        callbacks = [guarded()] if name == "with" else []
        trainer = make_trainer(folder, *callbacks, logger=make(folder))
        fit(trainer, val_dataloaders=held_out())
        both.append(read(folder))
    alone, beside = (
        told([p for p in points if not p[0].startswith("collapse/")]) for points in both
    )
    assert beside == alone
    assert {"loss", "val_loss"} <= {key for key, _, _ in alone}
    retention = [p for p in both[1] if p[0] == "collapse/tail_retention"]
    assert sorted(step for _, step, _ in retention) == [0, 5, 8, 10, 15, 16]
    assert ("collapse/tail_retention", 0, 1.0) in retention


def test_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    check(tmp_path, lambda folder: TensorBoardLogger(folder), in_tensorboard)


def test_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_SILENT", "true")

    def make(folder: Path) -> Logger:
        folder.mkdir()
        return WandbLogger(save_dir=folder, offline=True)

    points_told = told_to_wandb(monkeypatch, "trainer/global_step")

    def read(folder: Path) -> list[Point]:
        wandb.finish()
        return taken_by_wandb(points_told, folder, "trainer/global_step")

    check(tmp_path, make, read)


def test_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    check(
        tmp_path,
        lambda folder: MLFlowLogger(tracking_uri=folder.as_uri()),
        lambda folder: in_mlflow(folder.as_uri()),
    )
