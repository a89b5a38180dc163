"""Two real processes read one stream: the same stream as one process, and each batch its quota."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as mp
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader, DistributedSampler

from collapse_guard.errors import MixOrderError
from collapse_guard.mixing import MixGuard
from tests.forking import WORLD, finish
from tests.mixing.conftest import make_rows
from tests.mixing.test_trainer import Recorder, make_trainer

HUMAN, SYNTHETIC = 1, 2
PER_DEVICE, ACCUMULATION = 4, 2
GLOBAL_BATCH = WORLD * PER_DEVICE * ACCUMULATION

Batches = list[list[list[int]]]

pytestmark = pytest.mark.slow


def make_guard(**settings: Any) -> MixGuard:
    arguments: dict[str, Any] = {"block_size": GLOBAL_BATCH, "length": 48, "epochs": 2} | settings
    return MixGuard(make_rows(HUMAN, 30), make_rows(SYNTHETIC, 60), human_fraction=0.3, **arguments)


def stack(rows: list[dict[str, list[int]]]) -> torch.Tensor:
    return torch.tensor([row["input_ids"] for row in rows])


def accelerated(*, workers: int = 0, passes: int = 2, **settings: bool) -> Batches:
    """All batches of a loader that accelerate has prepared."""
    accelerator = Accelerator(cpu=True, dataloader_config=DataLoaderConfiguration(**settings))
    # Split batches are those of all devices together.
    size = PER_DEVICE * (WORLD if settings.get("split_batches") else 1)
    loader = accelerator.prepare(
        DataLoader(make_guard(), size, num_workers=workers, collate_fn=stack)
    )
    return [batch.tolist() for _ in range(passes) for batch in loader]


def trained(folder: Path, resume: bool = False, **settings: Any) -> Batches:
    """All batches that the Trainer's model sees."""
    trainer = make_trainer(
        folder,
        Recorder(),
        train_dataset=make_guard(),
        per_device_train_batch_size=PER_DEVICE,
        gradient_accumulation_steps=ACCUMULATION,
        ddp_backend="gloo",
        save_strategy="steps",
        save_steps=2,
        **settings,
    )
    batches: Batches = []
    training_step = trainer.training_step

    def recorded(model: Any, inputs: Any, *rest: Any, **named: Any) -> torch.Tensor:
        batches.append(inputs["input_ids"].tolist())
        return training_step(model, inputs, *rest, **named)

    trainer.training_step = recorded
    trainer.train(resume_from_checkpoint=str(folder / "checkpoint-4") if resume else None)
    return batches


def lightning(*, sampler: bool, rank: int, folder: Path, **settings: Any) -> Batches:
    """All batches that a LightningModule sees, trained by `ddp` in the processes that are there."""
    guard = make_guard()
    in_order = DistributedSampler(guard, WORLD, rank, shuffle=False) if sampler else None
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
        default_root_dir=folder,
        **settings,
    )
    trainer.fit(module, DataLoader(guard, PER_DEVICE, sampler=in_order, collate_fn=stack))
    return module.batches


class Reader(LightningModule):
    """Learns nothing from what it reads, and remembers it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.batches: Batches = []

    def training_step(self, batch: torch.Tensor) -> torch.Tensor:
        self.batches.append(batch.tolist())
        return self.weight * batch.sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def refused(read: Callable[[], object]) -> Batches:
    """Nothing, if it is refused; what was read shows in the failed comparison else."""
    try:
        return [[[repr(read())]]]  # type: ignore[list-item]
    except MixOrderError:
        return []


def dealt_out(rank: int, *, shuffle: bool, batch_size: int) -> Batches:
    """As Lightning reads: it puts a `DistributedSampler` into the loader."""
    guard = make_guard()
    sampler: DistributedSampler[int] = DistributedSampler(guard, WORLD, rank, shuffle=shuffle)
    loader = DataLoader(guard, batch_size, sampler=sampler, collate_fn=stack)
    return [batch.tolist() for batch in loader]


def scenarios(rank: int, folder: Path) -> Iterator[tuple[str, Batches]]:
    yield "shard", accelerated()
    yield "shard, split", accelerated(split_batches=True)
    yield "dispatch", accelerated(dispatch_batches=True)
    yield "dispatch, split", accelerated(dispatch_batches=True, split_batches=True)
    yield "stateful", accelerated(use_stateful_dataloader=True)
    yield "two workers", accelerated(workers=2, passes=1)
    for workers in (0, 2):
        here, settings = folder / str(workers), {"dataloader_num_workers": workers}
        yield f"trained {workers}", trained(here, **settings)
        yield f"resumed {workers}", trained(here, resume=True, **settings)
    yield "dealt out", dealt_out(rank, shuffle=False, batch_size=PER_DEVICE)
    yield "dealt out singly", dealt_out(rank, shuffle=False, batch_size=1)
    for size in (1, PER_DEVICE):
        deal = partial(dealt_out, rank, shuffle=True, batch_size=size)
        yield f"refused dealing out {size}", refused(deal)
    fit = partial(lightning, rank=rank, folder=folder)
    yield "lightning", fit(sampler=True, use_distributed_sampler=False)
    yield "refused sampler of lightning", refused(partial(fit, sampler=False))
    train = partial(trained, folder / "random", train_sampling_strategy="random")
    yield "refused training", refused(train)


def read(rank: int, port: int, folder: str) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(WORLD),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        ACCELERATE_USE_CPU="1",
    )
    # As where processes are started by torchrun, and not as these were started themselves.
    mp.set_start_method("fork", force=True)
    # Torch waits that long for each worker of a loader that is left before its end.
    torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL = 0.1
    results = dict(scenarios(rank, Path(folder)))
    Path(folder, f"{rank}.json").write_text(json.dumps(results))
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Batches]]:
    """What each process read, by scenario."""
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    finish(read, port, str(folder))
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(WORLD)]


def in_order(seen: list[dict[str, Batches]], scenario: str) -> list[list[int]]:
    """The rows as the optimizer sees them: micro-step by micro-step, process by process."""
    ranks = [result[scenario] for result in seen]
    return [row for step in zip(*ranks, strict=True) for batch in step for row in batch]


def stream() -> list[list[int]]:
    guard = make_guard()
    return [guard[slot]["input_ids"] for slot in range(len(guard))]


def check_quota(rows: list[list[int]]) -> None:
    for start in range(0, len(rows), GLOBAL_BATCH):
        marks = [row[0] for row in rows[start : start + GLOBAL_BATCH]]
        assert marks.count(HUMAN) == 5  # ceil(0.3 * 16)


@pytest.mark.parametrize(
    "scenario", ["shard", "shard, split", "dispatch", "dispatch, split", "stateful"]
)
def test_all_ways_to_deal_out_batches_read_the_stream_pass_after_pass(
    seen: list[dict[str, Batches]], scenario: str
) -> None:
    rows = in_order(seen, scenario)
    assert rows == stream() * 2
    check_quota(rows)


def test_workers_of_several_processes_read_the_stream(seen: list[dict[str, Batches]]) -> None:
    assert in_order(seen, "two workers") == stream()


@pytest.mark.parametrize("workers", [0, 2])
def test_the_trainer_reads_the_stream_and_goes_on_with_it(
    seen: list[dict[str, Batches]], workers: int
) -> None:
    rows = in_order(seen, f"trained {workers}")
    assert rows == stream()
    check_quota(rows)
    assert in_order(seen, f"resumed {workers}") == stream()[4 * GLOBAL_BATCH :]


@pytest.mark.parametrize("scenario", ["dealt out", "dealt out singly", "lightning"])
def test_dealt_out_slots_make_batches_that_hold_their_quota(
    seen: list[dict[str, Batches]], scenario: str
) -> None:
    rows = in_order(seen, scenario)
    check_quota(rows)
    assert sorted(rows) == sorted(stream())


def test_shuffling_is_refused_on_every_process(seen: list[dict[str, Batches]]) -> None:
    for result in seen:
        found = {name: batches for name, batches in result.items() if name.startswith("refused")}
        assert len(found) == 4
        assert set(map(str, found.values())) == {"[]"}
