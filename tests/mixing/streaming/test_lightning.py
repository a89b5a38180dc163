"""Lightning, which leaves it to a stream to share itself out among processes."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from tests.forking import WORLD
from tests.mixing.test_stream import make_sources, make_stream
from tests.processes import on_launched_processes

PER_DEVICE, ACCUMULATION = 2, 2


class Reader(LightningModule):
    """Learns nothing from what it reads, and remembers it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.batches: list[Any] = []

    def training_step(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        self.batches.append(torch.stack([batch["mark"], batch["number"]], dim=1).tolist())
        return self.weight * batch["number"].sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def train_on_process(folder: str) -> list[Any]:
    stream = make_stream(*make_sources("datasets"), batch_size=PER_DEVICE, length=48)
    part = stream.shard(WORLD, int(os.environ["RANK"]))
    loader = DataLoader(part, PER_DEVICE)
    module = Reader()
    trainer = Trainer(
        accelerator="cpu",
        devices=WORLD,
        strategy="ddp",
        max_epochs=1,
        accumulate_grad_batches=ACCUMULATION,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=Path(folder),
    )
    trainer.fit(module, loader)
    part.check_loader(loader)
    return module.batches


@pytest.mark.slow
def test_the_parts_of_two_processes_make_up_the_stream(tmp_path: Path) -> None:
    steps = zip(*on_launched_processes(train_on_process, tmp_path, str(tmp_path)), strict=True)
    rows = [row for step in steps for batch in step for row in batch]
    stream = make_stream(*make_sources("datasets"), batch_size=PER_DEVICE, length=48)
    assert rows == [[row["mark"], row["number"]] for row in stream]
    assert len(rows) == 48
