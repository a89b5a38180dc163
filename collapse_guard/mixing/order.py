"""Refuses a stream that is read out of order, which would void its floor."""

import os
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import torch
from torch.utils.data import DataLoader, DistributedSampler, SequentialSampler, get_worker_info

from collapse_guard.errors import MixOrderError

_REMEDY = (
    "so its floor of human rows would not hold: it is shuffled already and must be read in order. "
    'Set TrainingArguments(train_sampling_strategy="sequential") for the Hugging Face Trainer, '
    "shuffle=False for a DataLoader, Trainer(use_distributed_sampler=False) for Lightning (on "
    "several devices with sampler=DistributedSampler(guard, shuffle=False))."
)


class OrderCheck:
    """Watches the batches that one process reads.

    A batch of several slots must run on from slot to slot, in steps of one or, where a
    `DistributedSampler` deals the slots out, of the number of processes that they are dealt out to:
    all that there are, or a whole part of them where some train on the same rows together. It may
    run over the end into the beginning: loaders fill up a last batch so, and the floor holds
    across it.

    A batch of one slot shows no order. It must lie one step behind the batch of one before it,
    and a second one in a row that does not is refused; a single one may be a run that was resumed
    or begun again. So shuffled single slots are refused at the third batch that a process reads:
    `check_loader` refuses them before the first.

    Args:
        num_slots: Length of the stream.
    """

    def __init__(self, num_slots: int) -> None:
        self._num_slots = num_slots
        self._previous: int | None = None
        self._strays = 0

    def check(self, slots: Sequence[int]) -> None:
        """Refuse a batch that is out of order.

        Args:
            slots: Those of one batch, at least one.

        Raises:
            MixOrderError: The batch is out of order.
        """
        if len(slots) == 1:
            self._check_single(slots[0])
            return
        self._previous, self._strays = None, 0
        steps = {(b - a) % self._num_slots for a, b in pairwise(slots)}
        if len(steps) != 1 or not steps <= self._steps(1):
            raise _disorder(slots)

    def _check_single(self, slot: int) -> None:
        previous, self._previous = self._previous, slot
        worker = get_worker_info()
        # The workers of a process take turns at its batches.
        steps = self._steps(1 if worker is None else worker.num_workers)
        begins = slot < max(steps)
        if previous is None or begins or (slot - previous) % self._num_slots in steps:
            self._strays = 0
            return
        self._strays += 1
        if self._strays == 2:
            raise _disorder([previous, slot])

    def _steps(self, workers: int) -> set[int]:
        return {workers * dealt % self._num_slots for dealt in _divisors(_num_processes())}


def check_loader(loader: "DataLoader[object]") -> None:
    """Refuse a loader that will not read its data set in order, before it has read anything.

    Knows torch's own samplers, also inside accelerate's batch samplers. Nothing is iterated, so
    that no random number is drawn.

    Args:
        loader: A torch `DataLoader`, as made by hand, by the Trainer or by accelerate.

    Raises:
        MixOrderError: Its sampler is none that is known to keep the order.
    """
    sampler: object = loader.batch_sampler or loader.sampler
    while (
        inner := getattr(sampler, "batch_sampler", getattr(sampler, "sampler", None))
    ) is not None:
        sampler = inner
    in_order = isinstance(sampler, SequentialSampler) or (
        isinstance(sampler, DistributedSampler) and not sampler.shuffle
    )
    if not in_order:
        raise MixOrderError(f"MixGuard would be read through {type(sampler).__name__}, {_REMEDY}")


@cache
def _divisors(number: int) -> tuple[int, ...]:
    return tuple(divisor for divisor in range(1, number + 1) if number % divisor == 0)


def _num_processes() -> int:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_world_size()
    # In a spawned worker the process group is not there, but its launcher's variable is.
    return int(os.environ.get("WORLD_SIZE") or 1)


def _disorder(slots: Sequence[int]) -> MixOrderError:
    shown = ", ".join(map(str, slots[:6])) + (", ..." if len(slots) > 6 else "")
    return MixOrderError(f"MixGuard was asked for slots {shown} one after another, {_REMEDY}")
