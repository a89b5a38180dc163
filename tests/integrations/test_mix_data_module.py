"""Lightning reads a mix with nothing set for it, on one process and on several."""

from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from collapse_guard import ArgumentError, MixCollator
from collapse_guard.integrations import MixDataModule
from tests.callbacks.lightning.runs import QUIET
from tests.forking import WORLD
from tests.processes import on_launched_processes

pytestmark = QUIET

HUMAN = [{"input_ids": [1, number]} for number in range(12)]
SYNTHETIC = [{"input_ids": [2, number]} for number in range(28)]


class Reader(LightningModule):
    """Learns nothing from what it reads, and remembers it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.batches: list[Any] = []

    def training_step(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        self.batches.append(batch["input_ids"].tolist())
        return self.weight * batch["input_ids"].sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def data(**settings: Any) -> MixDataModule:
    usual: dict[str, Any] = {"human_fraction": 0.3, "batch_size": 2}
    loader = {"collate_fn": MixCollator(), **settings.pop("loader", {})}
    return MixDataModule(HUMAN, SYNTHETIC, **{**usual, **settings}, loader=loader)


def trainer(folder: Path, **settings: Any) -> Trainer:
    usual: dict[str, Any] = {
        "accelerator": "cpu",
        "accumulate_grad_batches": 5,
        "max_epochs": 3,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": folder,
    }
    return Trainer(**{**usual, **settings})


@pytest.mark.parametrize("workers", [0, 2])
def test_every_step_of_every_epoch_holds_the_floor(tmp_path: Path, workers: int) -> None:
    module, rows = Reader(), data(loader={"num_workers": workers})
    trainer(tmp_path).fit(module, rows)
    assert rows.mix is not None
    assert len(rows.mix) == 3 * 40
    seen = [row for batch in module.batches for row in batch]
    assert seen == [rows.mix[slot]["input_ids"] for slot in range(120)]
    humans = {sum(row[0] == 1 for row in seen[start : start + 10]) for start in range(0, 120, 10)}
    assert humans == {3}
    assert seen[:40] != seen[40:80]


def test_steps_are_a_limit_too(tmp_path: Path) -> None:
    module, rows = Reader(), data()
    trainer(tmp_path, max_epochs=-1, max_steps=6).fit(module, rows)
    assert rows.mix is not None
    assert rows.mix.epochs == 2
    seen = [row for batch in module.batches for row in batch]
    assert seen == [rows.mix[slot]["input_ids"] for slot in range(60)]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_run_goes_on_at_the_epoch_that_is_next(tmp_path: Path, workers: int) -> None:
    first = trainer(tmp_path, max_epochs=2)
    first.fit(Reader(), data(epochs=3))
    first.save_checkpoint(tmp_path / "last.ckpt")
    module, rows = Reader(), data(loader={"num_workers": workers})
    resumed = trainer(tmp_path)
    # Lightning 2.5 has no such argument, and reads all of a checkpoint.
    asked = signature(resumed.fit).parameters.keys() & {"weights_only"}
    resumed.fit(module, rows, ckpt_path=tmp_path / "last.ckpt", **dict.fromkeys(asked, False))
    assert rows.mix is not None
    seen = [row for batch in module.batches for row in batch]
    assert seen == [rows.mix[slot]["input_ids"] for slot in range(80, 120)]


@pytest.mark.parametrize(
    "loader", [{"shuffle": True}, {"sampler": range(3)}, {"batch_size": 3}, [], {"drop_last": 1}]
)
def test_a_loader_of_another_order_is_refused(loader: Any) -> None:
    with pytest.raises(ArgumentError, match="`loader` expected settings of a DataLoader"):
        MixDataModule(HUMAN, SYNTHETIC, human_fraction=0.3, batch_size=2, loader=loader)


def test_what_the_mix_refuses_is_refused_as_training_begins(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="`human_fraction`"):
        trainer(tmp_path).fit(Reader(), data(human_fraction=3))
    with pytest.raises(ArgumentError, match="`batch_size`"):
        data(batch_size=0)
    with pytest.raises(ArgumentError, match=r"trainer.fit\(module, data\)"):
        data().train_dataloader()


def train_on_process(folder: str) -> list[Any]:
    module = Reader()
    trainer(Path(folder), devices=WORLD, strategy="ddp").fit(module, data())
    return module.batches


@pytest.mark.slow
def test_two_processes_make_up_the_stream(tmp_path: Path) -> None:
    first, second = on_launched_processes(train_on_process, tmp_path, str(tmp_path))
    steps = [
        [row for batches in zip(*pair, strict=True) for pairs in batches for row in pairs]
        for pair in [(first[n : n + 5], second[n : n + 5]) for n in range(0, len(first), 5)]
    ]
    assert {sum(row[0] == 1 for row in step) for step in steps} == {6}
    assert {len(step) for step in steps} == {20}
    assert len(steps) == 6
