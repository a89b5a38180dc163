"""The Trainer and MixGuard on two workers of Ray Train, one of which dies."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.ray.trained import STEPS, rows, train
from tests.processes import on_launched_processes

WORKERS = 2


def with_ray(folder: Path) -> None:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    # The death of one is the failure of the other too, which waits for it.
    failures = FailureConfig(max_failures=2 * WORKERS)
    TorchTrainer(
        train,
        train_loop_config={"folder": str(folder)},
        scaling_config=ScalingConfig(num_workers=WORKERS, resources_per_worker={"CPU": 0.5}),
        run_config=RunConfig(storage_path=str(folder / "ray"), failure_config=failures),
    ).fit()


def said(folder: Path) -> Any:
    return json.loads((folder / "said.json").read_text(encoding="utf-8"))


def batches(folder: Path) -> list[list[Any]]:
    """The batches of each worker, in the order in which they were read."""
    files = [folder / f"rows-{rank}.jsonl" for rank in range(WORKERS)]
    return [list(map(json.loads, file.read_text(encoding="utf-8").splitlines())) for file in files]


@pytest.mark.cluster
@pytest.mark.slow
def test_a_run_whose_worker_died_comes_to_what_it_would_have(tmp_path: Path) -> None:
    without, survived = tmp_path / "without", tmp_path / "survived"
    for folder in (without, survived, meeting := tmp_path / "meeting"):
        folder.mkdir()
    (without / "died").touch()
    on_launched_processes(train, meeting, {"folder": str(without)})
    with_ray(survived)
    assert (survived / "died").exists()
    assert said(without)["alerts"]
    assert said(survived) == said(without)
    human = [row["input_ids"] for row in rows(1)]
    alone, resumed = batches(without), batches(survived)
    for mine, other in zip(alone, resumed, strict=True):
        assert len(mine) == STEPS
        # The steps before the checkpoint that was gone on from, and those after it.
        assert other[: STEPS // 2] + other[-STEPS // 2 :] == mine
    for step in range(STEPS):
        whole = [row for mine in alone for row in mine[step]]
        assert sum(row in human for row in whole) == len(whole) // 4
