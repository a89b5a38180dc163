"""Full disks, clocks that go back, trackers and sinks that fail: training goes on as ever."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from collapse_guard import MixGuard, Threshold
from collapse_guard.alerts import sinks
from collapse_guard.callbacks import MixLedgerCallback
from tests.callbacks.huggingface.runs import guarded, make_trainer
from tests.tiny import zipf_documents

ALWAYS = Threshold("perplexity", above=0.0, alpha=None)


def mix() -> MixGuard:
    rows = ([{"input_ids": ids, "labels": ids} for ids in _documents(seed)] for seed in (5, 6))
    return MixGuard(*rows, human_fraction=0.5, block_size=4, length=32)


def _documents(seed: int) -> list[list[int]]:
    return zipf_documents(20, length=16, seed=seed)


def collate(rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor([row[name] for row in rows]) for name in rows[0]}


def trained(folder: Path, *callbacks: TrainerCallback, guard: Any = None, mixed: Any = None) -> Any:
    trainer = make_trainer(
        folder, callbacks=callbacks, num_train_epochs=1, train_sampling_strategy="sequential"
    )
    trainer.train_dataset, trainer.data_collator = mixed or mix(), collate
    if guard is not None:
        guard.attach(trainer)
    trainer.train()
    assert trainer.state.global_step == 8
    return [parameter.detach().clone() for parameter in trainer.model.parameters()]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The weights of a run with nothing of ours."""
    return trained(tmp_path_factory.mktemp("alone"))


def assert_same(weights: Any, alone: Any) -> None:
    assert all(map(torch.equal, weights, alone))


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own without a free byte, where one may be mounted."""
    place = tmp_path / "full"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nobody but root may mount a file system")
    try:
        filler = (place / "filler").open("wb", buffering=0)
        with suppress(OSError):
            while True:
                filler.write(bytes(512))
        yield place
    finally:
        filler.close()
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_takes_the_ledger_and_nothing_else(
    full_disk: Path, alone: Any, caplog: pytest.LogCaptureFixture
) -> None:
    mixed = mix()
    weights = trained(full_disk, MixLedgerCallback(mixed, every_n_steps=1), mixed=mixed)
    assert_same(weights, alone)
    told = [each for each in caplog.records if "mix ledger failed" in each.getMessage()]
    assert len(told) == 1
    assert "No space left" in str(told[0].exc_info)
    # Nothing half is left.
    assert [path.name for path in full_disk.iterdir() if path.suffix == ".json"] == []


def test_so_does_a_folder_that_is_a_file(
    tmp_path: Path, alone: Any, caplog: pytest.LogCaptureFixture
) -> None:
    mixed = mix()
    (tmp_path / "mix_ledger.json").mkdir()
    weights = trained(tmp_path, MixLedgerCallback(mixed, every_n_steps=1), mixed=mixed)
    assert_same(weights, alone)
    assert "mix ledger failed" in caplog.text


@pytest.mark.parametrize("steps_back", [1e-3, 1e6])
def test_clocks_may_go_back(
    tmp_path: Path, alone: Any, monkeypatch: pytest.MonkeyPatch, steps_back: float
) -> None:
    readings = count()

    def backwards() -> float:
        return 1e9 - steps_back * next(readings)

    guard = guarded(rules=[ALWAYS], every_n_steps=2)
    for clock in ("perf_counter", "time", "monotonic"):
        monkeypatch.setattr(time, clock, backwards)
    weights = trained(tmp_path, guard=guard)
    monkeypatch.undo()
    assert_same(weights, alone)
    assert [look.step for look in guard.monitor.history] == [0, 2, 4, 6, 8]
    assert guard.monitor.state_dict()["stopwatch"]


class Tracker(TrainerCallback):
    """One that is down for our records, or changes them."""

    def __init__(self, do: Callable[[dict[str, Any]], object]) -> None:
        self.do = do

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if any("collapse" in key for key in logs):
            self.do(logs)


def fail(*arguments: object) -> None:
    raise RuntimeError("the tracker is down")


def test_a_tracker_that_is_down_is_told_once(
    tmp_path: Path, alone: Any, caplog: pytest.LogCaptureFixture
) -> None:
    guard = guarded(rules=[ALWAYS], every_n_steps=2, on_error="report")
    assert_same(trained(tmp_path, Tracker(fail), guard=guard), alone)
    assert caplog.text.count("RuntimeError: the tracker is down") == 1
    assert [look.step for look in guard.monitor.history] == [0, 2, 4, 6, 8]


def test_a_tracker_may_do_to_records_what_it_likes(tmp_path: Path, alone: Any) -> None:
    guard = guarded(rules=[ALWAYS], every_n_steps=2)
    assert_same(trained(tmp_path, Tracker(dict.clear), guard=guard), alone)
    assert "eval_collapse/perplexity" in guard.session.latest


def test_a_sink_that_hangs_is_given_up(
    tmp_path: Path,
    alone: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(sinks, "PATIENCE", 0.05)
    guard = guarded(
        rules=[ALWAYS], every_n_steps=2, on_error="report", sink=lambda alert: time.sleep(5.0)
    )
    assert_same(trained(tmp_path, guard=guard), alone)
    assert len(guard.monitor.alerts) == 1
    assert caplog.text.count("CollapseGuardError: the sink took longer than") == 1
