"""Curves and a table arrive in a real run of each tracker, as its own files have them."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from collapse_guard import ArgumentError, CollapseGuardError, CollapseMonitor, EveryNSteps
from collapse_guard.integrations import (
    mlflow_plots,
    tensorboard_plots,
    trackio_plots,
    wandb_plots,
)
from tests.callbacks.tracked_runs import QUIET_TRACKERS
from tests.tiny import perturb, tiny_gpt2, tiny_panel

pytestmark = QUIET_TRACKERS


@pytest.fixture(scope="module")
def session() -> Any:
    model = tiny_gpt2()
    monitor = CollapseMonitor(
        tiny_panel(), rules=[], pace=EveryNSteps(1), rules_wait=False, sampling=None
    )
    monitor.start(model)
    for step in (1, 2):
        perturb(model, 0.05)
        monitor.look(model, step)
    return SimpleNamespace(monitor=monitor)


def kept(session: Any) -> tuple[float, float]:
    """What the table is to say of the tail, at the start and at the end."""
    looks = session.monitor.history
    return looks[0]["tail_retention"], looks[-1]["tail_retention"]


def test_tensorboard(session: Any, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        tensorboard_plots(writer)(session)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    (image,) = events.Images("collapse/curves")
    assert image.step == 2
    assert image.encoded_image_string.startswith(b"\x89PNG")
    (table,) = events.Tensors("collapse/readings/text_summary")
    lines = table.tensor_proto.string_val[0].decode().splitlines()
    (line,) = [line for line in lines if line.startswith("| tail_retention |")]
    assert line.split(" | ")[1:3] == [f"{value:.4g}" for value in kept(session)]


def test_wandb(session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb", reason="wandb is not installed")
    send = wandb_plots(name="tails")
    with pytest.raises(CollapseGuardError, match="no run of wandb"):
        send(session)
    run = wandb.init(mode="offline", dir=str(tmp_path), settings=wandb.Settings(silent=True))
    # Not read from its file, which in one of some dozens of runs lacks records.
    log, told = run.log, []

    def noted(data: dict[str, Any]) -> None:
        told.append(data)
        log(data)

    monkeypatch.setattr(run, "log", noted)
    send(session)
    wandb.finish()
    assert {key for each in told for key in each} == {"tails/curves", "tails/readings"}
    (table,) = tmp_path.rglob("*.table.json")
    rows = json.loads(table.read_text(encoding="utf-8"))["data"]
    (row,) = [row for row in rows if row[0] == "tail_retention"]
    assert tuple(row[1:3]) == pytest.approx(kept(session))
    assert next(tmp_path.rglob("*.png")).read_bytes().startswith(b"\x89PNG")


def test_trackio(session: Any) -> None:
    trackio = pytest.importorskip("trackio", reason="trackio is not installed")
    from trackio.sqlite_storage import SQLiteStorage

    send = trackio_plots()
    with pytest.raises(CollapseGuardError, match="no run of trackio"):
        send(session)
    trackio.init(project="plots", embed=False)
    send(session)
    trackio.finish()
    (run,) = SQLiteStorage.get_runs("plots")
    (logged,) = SQLiteStorage.get_logs("plots", run)
    assert logged["collapse/curves"]["_type"] == "trackio.image"
    (row,) = [
        row for row in logged["collapse/readings"]["_value"] if row["reading"] == "tail_retention"
    ]
    assert (row["start"], row["end"]) == pytest.approx(kept(session))


def test_mlflow(session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    send = mlflow_plots()
    # Not by MLFLOW_TRACKING_URI, which counts for nothing once a test before has set the place.
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    with pytest.raises(CollapseGuardError, match="no run of MLflow"):
        send(session)
    with mlflow.start_run():
        send(session)
    (picture,) = tmp_path.rglob("collapse/curves.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    (table,) = tmp_path.rglob("collapse/readings.json")
    columns = json.loads(table.read_text(encoding="utf-8"))
    at = columns["reading"].index("tail_retention")
    assert (columns["start"][at], columns["end"][at]) == pytest.approx(kept(session))


def test_a_run_that_nobody_looked_at_sends_nothing(tmp_path: Path) -> None:
    monitor = CollapseMonitor(tiny_panel(), rules=[], sampling=None)
    wandb_plots()(SimpleNamespace(monitor=monitor))


def test_what_is_no_writer_is_refused_at_once() -> None:
    with pytest.raises(ArgumentError, match="`writer`"):
        tensorboard_plots("runs/one")
