"""What `MixGuard` promises, for drawn sizes, floors, devices, workers, batches and kill points.

Devices and workers are taken by the arithmetic of the samplers that the frameworks use, each with a
`MixGuard` of its own as in a process of its own; `test_loaders` and `test_distributed` have a few
real ones.
"""

import math
import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from accelerate.data_loader import BatchSamplerShard, SkipBatchSampler
from hypothesis import assume, given, settings, strategies as st
from torch.utils.data import BatchSampler, DistributedSampler, RandomSampler, SequentialSampler
from torch.utils.data._utils import worker as torch_worker

from collapse_guard import MixGuard, MixOrderError
from collapse_guard.mixing.loaders import worker_starts

MOST_SLOTS = 240


@dataclass(frozen=True)
class Run:
    """One way to train on a mixed stream."""

    num_human: int
    num_synthetic: int
    fraction: Fraction
    later_fraction: Fraction | None
    epochs: int
    seed: int
    devices: int
    per_device: int
    accumulation: int
    blocks_per_batch: int
    workers: int
    deal: str
    drop_last: bool

    @property
    def global_batch(self) -> int:
        return self.devices * self.per_device * self.accumulation

    @property
    def floor(self) -> Fraction:
        """The share of human rows that every part of the stream holds."""
        later = self.fraction if self.later_fraction is None else self.later_fraction
        return min(self.fraction, later)

    def guard(self) -> MixGuard:
        block_size = self.global_batch // self.blocks_per_batch
        length = (MOST_SLOTS // self.epochs) // block_size * block_size
        human_fraction: Any = self.fraction
        if self.later_fraction is not None:
            human_fraction = [(0.5, self.fraction), (1, self.later_fraction)]
        return MixGuard(
            range(self.num_human),
            range(1000, 1000 + self.num_synthetic),
            human_fraction=human_fraction,
            block_size=block_size,
            length=max(length, block_size),
            max_repeats=1000,
            epochs=self.epochs,
            seed=self.seed,
        )

    def batches(self, guard: MixGuard, device: int, sampler: Any = None) -> list[list[int]]:
        """The slots of each batch that one device reads."""
        if self.deal == "sampler":
            dealt: Any = DistributedSampler(
                guard, self.devices, device, shuffle=False, drop_last=self.drop_last
            )
            return list(BatchSampler(dealt, self.per_device, self.drop_last))
        in_order = SequentialSampler(guard) if sampler is None else sampler
        split = self.deal == "split"
        size = self.per_device * (self.devices if split else 1)
        batches = BatchSampler(in_order, size, self.drop_last)
        return list(BatchSamplerShard(batches, self.devices, device, split_batches=split))


@st.composite
def runs(draw: st.DrawFn) -> Run:
    devices, per_device = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    accumulation = draw(st.integers(1, 3))
    per_batch = devices * per_device * accumulation
    divisors = [part for part in range(1, per_batch + 1) if per_batch % part == 0]
    return Run(
        num_human=draw(st.integers(1, 120)),
        num_synthetic=draw(st.integers(1, 120)),
        fraction=draw(st.fractions(0, 1, max_denominator=40)),
        later_fraction=draw(st.none() | st.fractions(0, 1, max_denominator=9)),
        epochs=draw(st.integers(1, 3)),
        seed=draw(st.integers(0, 2**32)),
        devices=devices,
        per_device=per_device,
        accumulation=accumulation,
        blocks_per_batch=draw(st.sampled_from(divisors)),
        workers=draw(st.integers(0, 3)),
        deal=draw(st.sampled_from(["shard", "split", "sampler"])),
        drop_last=draw(st.booleans()),
    )


def read(run: Run, guard: MixGuard, batches: Sequence[list[int]]) -> Iterator[list[Any]]:
    """One device's batches, each read by the worker whose turn it is, in its own copy."""
    copies = [pickle.loads(pickle.dumps(guard)) for _ in range(max(run.workers, 1))]
    # In one process here, the copies would not find what they share otherwise.
    for copy in copies:
        copy._order._starts = copies[0]._order._starts
    for number, slots in enumerate(batches):
        worker = number % len(copies)
        with ExitStack() as process:
            process.enter_context(mock.patch.dict(os.environ, WORLD_SIZE=str(run.devices)))
            if run.workers:
                info = torch_worker.WorkerInfo(
                    id=worker, num_workers=run.workers, seed=worker, dataset=guard
                )
                process.enter_context(mock.patch.object(torch_worker, "_worker_info", info))
                process.enter_context(
                    mock.patch.object(worker_starts, "_loader_number", return_value=7)
                )
            yield list(copies[worker].__getitems__(slots))


def interleaved(steps: Sequence[Sequence[list[Any]]]) -> list[Any]:
    """All rows as the optimizer sees them: micro-step by micro-step, device by device."""
    return [row for step in zip(*steps, strict=True) for batch in step for row in batch]


@given(run=runs())
def test_every_window_and_every_block_holds_the_floor(run: Run) -> None:
    guard = run.guard()
    is_human = guard.locate(range(len(guard))).is_human
    before = np.concatenate([[0], np.cumsum(np.tile(is_human, 2))])
    for n in range(1, len(guard) + 1, 1 + len(guard) // 60):
        # Windows run over the end too, as loaders do that fill up their last batch.
        assert (before[n:] - before[:-n])[: len(guard)].min() >= math.floor(n * run.floor)


@given(run=runs())
def test_no_row_is_lost_or_doubled_within_a_pass(run: Run) -> None:
    """Each round shows every row of a source once, whatever epochs and devices it runs over."""
    run = replace(
        run, later_fraction=None
    )  # with stages the strata of each are rounds of their own
    guard = run.guard()
    located = guard.locate(range(len(guard)))
    sizes = {True: run.num_human, False: run.num_synthetic}
    for kind, size in sizes.items():
        shown = located.row[located.is_human == kind]
        times = np.bincount(shown, minlength=size)
        assert times.max() - times.min() <= 1
        first = located.is_first[located.is_human == kind]
        assert first.sum() == min(len(shown), size)


@settings(max_examples=settings.default.max_examples // 2)
@given(run=runs())
def test_every_global_batch_holds_the_floor_and_any_devices_read_one_stream(run: Run) -> None:
    guard = run.guard()
    stream = [guard[slot] for slot in range(len(guard))]
    device_batches = [run.batches(guard, device) for device in range(run.devices)]
    steps = [list(read(run, guard, batches)) for batches in device_batches]
    rows = interleaved(steps)

    if run.deal == "sampler":
        # Dealt out card by card: a step's rows are the stream's, in another order.
        size = run.devices * run.per_device
        chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
        for step, chunk in zip(zip(*steps, strict=True), chunks, strict=False):
            step_rows = [row for batch in step for row in batch]
            if len(step_rows) == len(chunk):
                assert sorted(step_rows) == sorted(chunk)
    else:
        # What fills up a last batch is the stream's beginning, once more.
        assert rows == (stream * 100)[: len(rows)]
        assert run.drop_last or len(rows) >= len(stream)

    quota = math.ceil(run.floor * run.global_batch)
    for start in range(0, len(rows) - run.global_batch + 1, run.global_batch):
        human = sum(row < 1000 for row in rows[start : start + run.global_batch])
        assert human >= quota


@settings(max_examples=settings.default.max_examples // 2)
@given(run=runs(), data=st.data())
def test_a_run_that_was_killed_anywhere_goes_on_with_the_same_rows(
    run: Run, data: st.DataObject
) -> None:
    """Within an epoch, within an accumulation; resumed as accelerate does, on a new process."""
    guard = run.guard()
    killed_at = data.draw(st.integers(0, len(run.batches(guard, 0))), label="killed at")
    device = data.draw(st.integers(0, run.devices - 1), label="device")
    batches = run.batches(guard, device)
    whole = list(read(run, guard, batches))
    rest = list(SkipBatchSampler(batches, killed_at))
    assert list(read(run, run.guard(), rest)) == whole[killed_at:]


@given(run=runs(), shuffle_seed=st.integers(0, 2**32))
def test_a_shuffled_stream_gets_no_further_than_one_batch(run: Run, shuffle_seed: int) -> None:
    """Of each device, and of all its workers together: before the first step of a framework."""
    guard = run.guard()
    # In a stream of a few slots a shuffle may well be none.
    assume(len(guard) >= 200 and run.deal != "sampler")
    generator = torch.Generator().manual_seed(shuffle_seed)
    batches = run.batches(guard, 0, RandomSampler(guard, generator=generator))
    assume(len(batches) > 1 and not looks_in_order(run, batches, len(guard)))
    reading = read(run, guard, batches)
    with pytest.raises(MixOrderError, match='train_sampling_strategy="sequential"'):
        (next(reading), next(reading))


def looks_in_order(run: Run, batches: list[list[int]], length: int) -> bool:
    """Whether the first two batches could be those of a run, as happens by chance."""
    if len(batches[0]) > 1:
        return False
    (first,), (second,) = batches[0], batches[1]
    turns = range(1, run.devices + 1)
    near = {sign * turn * max(run.workers, 1) for turn in turns for sign in (1, -1)} | {
        sign * turn for turn in turns for sign in (1, -1)
    }
    begins = run.devices * max(run.workers, 1)
    return first < begins or second < begins or (second - first) % length in {
        step % length for step in near
    }  # fmt: skip
