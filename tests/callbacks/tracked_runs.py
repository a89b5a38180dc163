"""What trackers have written of a run, read back from their own files."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

# What trackers and their own packages say about versions of others.
QUIET_TRACKERS = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

Point = tuple[str, int, float]
"""A key, the step of the run, and the value."""

CHANGING = ("overhead", "runtime", "per_second", "timestamp", "step")
"""What is different in every run, or is the step itself."""


def told(points: list[Point]) -> list[Point]:
    """Those that are the same in every run, in order."""
    return sorted(point for point in points if not point[0].endswith(CHANGING))


def in_tensorboard(folder: Path) -> list[Point]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (file,) = folder.rglob("events.out.tfevents.*")
    events = EventAccumulator(str(file), size_guidance={"scalars": 0})
    events.Reload()
    tags = events.Tags()["scalars"]
    return [(tag, event.step, event.value) for tag in tags for event in events.Scalars(tag)]


def in_wandb(folder: Path, step: str) -> list[Point]:
    """From the file that an offline run leaves, whose rows name their step under a key."""
    points: list[Point] = []
    for record in wandb_records(folder):
        if record.WhichOneof("record_type") != "history":
            continue
        row = {"/".join(i.nested_key) or i.key: i.value_json for i in record.history.item}
        values = {key: json.loads(value) for key, value in row.items()}
        if step in values:
            points += [
                (key, int(values[step]), float(value))
                for key, value in values.items()
                if isinstance(value, int | float)
            ]
    return points


def told_to_wandb(monkeypatch: pytest.MonkeyPatch, step: str) -> list[Point]:
    """What runs of wandb are told from now on, whose step stands under a key.

    Not what their files have, which in one of some dozens of runs lack a few records.
    """
    from wandb.sdk.wandb_run import Run

    points: list[Point] = []
    log = Run.log

    def noted(self: Run, data: dict[str, Any], *args: Any, **given: Any) -> None:
        if step in data:
            points.extend(
                (key, int(data[step]), float(value))
                for key, value in data.items()
                if isinstance(value, int | float)
            )
        log(self, data, *args, **given)

    monkeypatch.setattr(Run, "log", noted)
    return points


def taken_by_wandb(told: list[Point], folder: Path, step: str) -> list[Point]:
    """What a run that is over was told, which is left empty for the next; its file has no more."""
    points = told.copy()
    told.clear()
    written = in_wandb(folder, step)
    # It adds keys of its own.
    assert {point for point in written if not point[0].startswith("_")} <= set(points)
    return points


def wandb_records(folder: Path) -> list:
    """Each record of the one offline run in a folder."""
    from wandb.proto.wandb_internal_pb2 import Record

    (file,) = folder.rglob("*.wandb")
    data, block, head = file.read_bytes(), 32 * 1024, 7
    records, whole, at = [], b"", head
    while at + head <= len(data):
        left = block - at % block
        if left < head:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + head])
        whole += data[at + head : at + head + length]
        at += head + length
        # Whole, first, middle, last.
        if kind in (1, 4):
            record = Record()
            record.ParseFromString(whole)
            records.append(record)
            whole = b""
    return records


def in_mlflow(uri: str) -> list[Point]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    (run,) = [
        run
        for experiment in client.search_experiments()
        for run in client.search_runs([experiment.experiment_id])
    ]
    return [
        (key, point.step, point.value)
        for key in run.data.metrics
        for point in client.get_metric_history(run.info.run_id, key)
    ]


def in_trackio(project: str, step: str) -> list[Point]:
    from trackio.sqlite_storage import SQLiteStorage

    (run,) = SQLiteStorage.get_runs(project)
    return [
        (key, int(row[step]), float(value))
        for row in SQLiteStorage.get_logs(project, run)
        if step in row
        for key, value in row.items()
        if isinstance(value, int | float)
    ]
