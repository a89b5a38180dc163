"""Real trackers get our readings, at their own steps, and the run's own records as ever."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from collapse_guard.callbacks.records import record_keys
from tests.callbacks.huggingface.runs import guarded, make_trainer
from tests.callbacks.tracked_runs import (
    QUIET_TRACKERS,
    Point,
    in_mlflow,
    in_tensorboard,
    in_trackio,
    taken_by_wandb,
    told,
    told_to_wandb,
)

LOOKS = [0, 5, 10, 15, 16]

pytestmark = QUIET_TRACKERS


def of_a_run(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    tracker: str,
    read: Callable[[Path], list[Point]],
    *,
    is_guarded: bool,
) -> list[Point]:
    """What a run in a folder of its own has left with a tracker."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    trainer = make_trainer(
        folder / "out", report_to=tracker, eval_strategy="epoch", project=folder.name
    )
    if is_guarded:
        guarded(rules=[]).attach(trainer)
    trainer.train()
    return read(folder)


def check(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tracker: str,
    read: Callable[[Path], list[Point]],
    *,
    ours: str = "eval/collapse/",
) -> None:
    both = [
        of_a_run(tmp_path / name, monkeypatch, tracker, read, is_guarded=name == "with")
        for name in ("without", "with")
    ]
    alone, beside = (told([p for p in points if not p[0].startswith(ours)]) for points in both)
    epoch = "epoch" if "epoch" in {key for key, _, _ in alone} else "train/epoch"
    # Each record says the epoch it is of, ours too.
    assert [p for p in beside if p[0] != epoch] == [p for p in alone if p[0] != epoch]
    assert set(alone) <= set(beside)
    assert len({key for key, _, _ in alone}) >= 4
    readings = [p for p in both[1] if p[0].startswith(ours)]
    monitor = guarded(rules=[]).monitor
    assert {key for key, _, _ in readings} <= {f"{ours}{name}" for name in record_keys(monitor)}
    for name in ("tail_retention", "tail_retention_se", "perplexity", "alerts", "watched"):
        steps = sorted({step for key, step, _ in readings if key == f"{ours}{name}"})
        # An evaluation looks too.
        assert steps == sorted({*LOOKS, 8}), name
    first = [value for key, step, value in readings if key == f"{ours}tail_retention" and step == 0]
    assert first == [1.0]
    assert all(math.isfinite(value) for _, _, value in readings)


def test_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    # Where it writes without us, and nowhere else.
    check(tmp_path, monkeypatch, "tensorboard", lambda folder: in_tensorboard(folder / "out"))
    assert not (tmp_path / "with" / "runs").exists()


def test_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb", reason="wandb is not installed")
    for name, value in {"MODE": "offline", "SILENT": "true", "DISABLE_CODE": "true"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    # It asks once where its runs go, for all runs of a process.
    init = wandb.init
    monkeypatch.setattr(wandb, "init", lambda **given: init(dir=str(Path.cwd()), **given))

    points_told = told_to_wandb(monkeypatch, "train/global_step")

    def read(folder: Path) -> list[Point]:
        wandb.finish()
        return taken_by_wandb(points_told, folder, "train/global_step")

    check(tmp_path, monkeypatch, "wandb", read)


def test_trackio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trackio", reason="trackio is not installed")

    def read(folder: Path) -> list[Point]:
        return in_trackio(folder.name, "train/global_step")

    # Which is read once, when trackio is imported: tests share a folder, and each has its projects.
    check(tmp_path, monkeypatch, "trackio", read)


def test_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")

    def read(folder: Path) -> list[Point]:
        return in_mlflow(uris.pop(0))

    uris = [(tmp_path / name / "mlruns").as_uri() for name in ("without", "with")]
    waiting = list(uris)
    start_run = mlflow.start_run

    def start_in_its_folder(**given: object) -> object:
        mlflow.set_tracking_uri(waiting.pop(0))
        return start_run(**given)

    monkeypatch.setattr(mlflow, "start_run", start_in_its_folder)
    # MLflow keeps the Trainer's own names.
    check(tmp_path, monkeypatch, "mlflow", read, ours="eval_collapse/")
