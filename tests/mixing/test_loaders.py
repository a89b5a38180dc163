"""The floor through every loader that reads in order, and an error through those that do not."""

import math
import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import datasets
import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from hypothesis import given, strategies as st
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler, SequentialSampler
from torchdata.stateful_dataloader import StatefulDataLoader

from collapse_guard.errors import ArgumentError, MixOrderError
from collapse_guard.mixing import MixCollator, MixGuard
from collapse_guard.mixing.loaders.order_check import OrderCheck
from tests.mixing.conftest import Row, batches_of, make_rows

HUMAN, SYNTHETIC = 1, 2


def make_guard(**settings: Any) -> MixGuard:
    arguments: dict[str, Any] = {
        "human_fraction": 0.3,
        "block_size": 8,
        "length": 40,
        "epochs": 2,
    } | settings
    return MixGuard(make_rows(HUMAN, 20), make_rows(SYNTHETIC, 50), **arguments)


def stack(rows: Sequence[Row]) -> torch.Tensor:
    return torch.tensor([row["input_ids"] for row in rows])


def stream_of(guard: MixGuard) -> list[list[int]]:
    return [guard[slot]["input_ids"] for slot in range(len(guard))]


@pytest.mark.parametrize("batch_size", [1, 3, 8])
@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_sequential_loader_reads_the_stream(batch_size: int, num_workers: int) -> None:
    guard = make_guard()
    loader = DataLoader(guard, batch_size, num_workers=num_workers, collate_fn=stack)
    for _ in range(2):
        assert torch.cat(list(loader)).tolist() == stream_of(guard)


@pytest.mark.slow
def test_spawned_workers_read_the_stream() -> None:
    guard = make_guard()
    loader = DataLoader(guard, 8, num_workers=2, collate_fn=stack, multiprocessing_context="spawn")
    assert torch.cat(list(loader)).tolist() == stream_of(guard)


def test_hugging_face_rows_come_through_the_default_collator() -> None:
    human = datasets.Dataset.from_list(make_rows(HUMAN, 20)).with_format("torch")
    synthetic = datasets.Dataset.from_list(make_rows(SYNTHETIC, 50)).with_format("torch")
    guard = MixGuard(human, synthetic, human_fraction=0.3, block_size=8)
    batches = [batch["input_ids"] for batch in DataLoader(guard, batch_size=8)]
    assert torch.cat(batches).tolist() == [guard[slot]["input_ids"].tolist() for slot in range(72)]
    assert [(batch[:, 0] == HUMAN).sum().item() for batch in batches] == [3] * 9


@pytest.mark.parametrize("num_workers", [0, 2])
def test_tokens_reach_our_collator_without_rows_in_between(num_workers: int) -> None:
    sources = [datasets.Dataset.from_list(make_rows(mark, 50)) for mark in (HUMAN, SYNTHETIC)]
    guard = MixGuard(*sources, human_fraction=0.3, block_size=8, length=40)
    loader = DataLoader(guard, 8, num_workers=num_workers, collate_fn=MixCollator(labels=True))
    batches = list(loader)
    for name in ("input_ids", "labels"):
        assert torch.cat([batch[name] for batch in batches]).tolist() == stream_of(guard)


# What torchdata 0.11 asks of torch 2.13.
@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")
@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize(("batch_size", "killed_at"), [(1, 3), (3, 0), (3, 7), (8, 10)])
def test_a_stateful_loader_goes_on_where_it_was_killed(
    batch_size: int, killed_at: int, num_workers: int
) -> None:
    def make_loader() -> StatefulDataLoader[Any]:
        return StatefulDataLoader(
            make_guard(), batch_size, num_workers=num_workers, collate_fn=stack
        )

    loader = make_loader()
    with batches_of(loader) as batches:
        begun = list(islice(batches, killed_at))
        state = loader.state_dict()
    resumed = make_loader()
    resumed.load_state_dict(state)
    assert torch.cat([*begun, *resumed]).tolist() == stream_of(make_guard())


def test_the_last_batch_may_be_left_out() -> None:
    loader = DataLoader(make_guard(), 32, drop_last=True, collate_fn=stack)
    for _ in range(2):
        assert torch.cat(list(loader)).tolist() == stream_of(make_guard())[:64]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_shuffling_loader_is_refused_at_its_first_batch(num_workers: int) -> None:
    guard = make_guard()
    loader = DataLoader(guard, 8, shuffle=True, num_workers=num_workers, collate_fn=stack)
    with batches_of(loader) as batches, pytest.raises(MixOrderError, match="shuffle=False"):
        next(batches)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_shuffling_loader_of_single_rows_is_refused_before_it_and_at_its_second_batch(
    num_workers: int,
) -> None:
    guard = make_guard(length=4000, max_repeats=200)
    loader = DataLoader(guard, 1, shuffle=True, num_workers=num_workers, collate_fn=list)
    with pytest.raises(MixOrderError, match="RandomSampler"):
        guard.check_loader(loader)
    torch.manual_seed(0)
    with batches_of(loader) as batches, pytest.raises(MixOrderError, match="shuffle=False"):
        list(islice(batches, 2))


@given(
    fraction=st.fractions(0, 1, max_denominator=30).filter(lambda f: 0 < f < 1),
    processes=st.integers(1, 4),
    per_device=st.integers(1, 5),
    accumulation=st.integers(1, 3),
    blocks_per_batch=st.integers(1, 2),
    split_batches=st.booleans(),
)
def test_accelerate_deals_out_batches_that_hold_the_floor(
    fraction: Any,
    processes: int,
    per_device: int,
    accumulation: int,
    blocks_per_batch: int,
    split_batches: bool,
) -> None:
    """Every global batch, the last one too, which accelerate fills up from the start."""
    global_batch = processes * per_device * accumulation
    if global_batch % blocks_per_batch:
        blocks_per_batch = 1
    guard = MixGuard(
        range(50),
        range(50),
        human_fraction=fraction,
        block_size=global_batch // blocks_per_batch,
        max_repeats=1000,
    )
    size = per_device * processes if split_batches else per_device
    batches = BatchSampler(SequentialSampler(guard), size, drop_last=False)
    shards = [
        list(BatchSamplerShard(batches, processes, rank, split_batches=split_batches))
        for rank in range(processes)
    ]
    with mock.patch.dict(os.environ, WORLD_SIZE=str(processes)):
        for shard in shards:
            order = OrderCheck(len(guard))
            for slots in shard:
                order.check(slots)
    slots = [slot for step in zip(*shards, strict=True) for batch in step for slot in batch]
    is_human = guard.locate(slots).is_human
    whole = len(is_human) // global_batch * global_batch
    per_batch = is_human[:whole].reshape(-1, global_batch).sum(axis=1)
    assert (per_batch >= math.ceil(fraction * global_batch)).all()


@pytest.mark.parametrize("batch_size", [1, 4])
def test_dealt_out_slots_make_global_batches_that_hold_the_floor(
    batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Lightning reads under DDP, given a sequential `DistributedSampler`."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    guard = make_guard()
    ranks = [
        list(
            DataLoader(
                guard,
                batch_size,
                sampler=DistributedSampler(guard, num_replicas=2, rank=rank, shuffle=False),
                collate_fn=stack,
            )
        )
        for rank in range(2)
    ]
    steps = [torch.cat(pair) for pair in zip(*ranks, strict=True)]
    rows = torch.cat(steps).reshape(-1, 8, 2)
    assert ((rows[:, :, 0] == HUMAN).sum(dim=1) == 3).all()
    assert sorted(torch.cat(steps).tolist()) == sorted(stream_of(guard))


class TestLightning:
    """One device; `test_distributed` has two."""

    @staticmethod
    def fit(loader: DataLoader[Any], tmp_path: Path) -> list[list[int]]:
        from lightning.pytorch import Trainer

        from tests.mixing.test_distributed import Reader

        module = Reader()
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=2,
            accumulate_grad_batches=2,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
        )
        trainer.fit(module, loader)
        return [row for batch in module.batches for row in batch]

    @pytest.mark.filterwarnings("ignore:The '\\w+' does not have many workers")
    @pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.. is deprecated")
    def test_it_reads_the_stream_epoch_after_epoch(self, tmp_path: Path) -> None:
        loader = DataLoader(make_guard(), 4, collate_fn=stack)
        assert self.fit(loader, tmp_path) == stream_of(make_guard()) * 2

    @pytest.mark.filterwarnings("ignore:The '\\w+' does not have many workers")
    @pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.. is deprecated")
    def test_shuffling_is_refused(self, tmp_path: Path) -> None:
        loader = DataLoader(make_guard(), 4, collate_fn=stack, shuffle=True)
        with pytest.raises(MixOrderError, match="use_distributed_sampler=False"):
            self.fit(loader, tmp_path)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_transform_that_makes_more_or_fewer_rows_is_refused_at_the_first_read(
    num_workers: int,
) -> None:
    def halved(rows: dict[str, list[int]]) -> dict[str, list[int]]:
        return {"n": rows["n"][::2]}

    human = datasets.Dataset.from_dict({"n": list(range(20))})
    written = datasets.Dataset.from_dict({"n": list(range(100, 150))}).with_transform(halved)
    guard = MixGuard(human, written, human_fraction=0.5, block_size=8)
    with pytest.raises(ArgumentError, match="`synthetic` expected one row for each"):
        guard.__getitems__(list(range(8)))
    loader = DataLoader(guard, 8, num_workers=num_workers, collate_fn=list)
    with batches_of(loader) as batches, pytest.raises(ArgumentError, match="got '2 rows'"):
        next(batches)
