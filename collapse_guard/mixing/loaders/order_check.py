"""Refuses a stream that is read out of order, which would void its floor."""

import operator
import os
import weakref
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from torch.utils.data import DataLoader, DistributedSampler, SequentialSampler, get_worker_info

from collapse_guard.distributed import launched_processes
from collapse_guard.errors import MixOrderError
from collapse_guard.mixing.loaders.fetching import fetching
from collapse_guard.mixing.loaders.torch_loader import check_torch_loader
from collapse_guard.mixing.loaders.worker_starts import WorkerStarts

_REMEDY = (
    "so its floor of human rows would not hold: it is shuffled already and must be read in order. "
    "For the Hugging Face Trainer write args = mix.trainer_arguments(args), before it is made, or "
    'TrainingArguments(..., train_sampling_strategy="sequential", num_train_epochs=1); '
    "shuffle=False for a DataLoader, Trainer(use_distributed_sampler=False) for Lightning (on "
    "several devices with sampler=DistributedSampler(guard, shuffle=False))."
)


class OrderCheck:
    """Watches the batches that each process reads.

    Within a batch, slots must run on in steps of one or, where a `DistributedSampler` deals them
    out, of the number of processes that they are dealt out to: all that there are, or a whole part
    of them where some train on the same rows together. They may run over the end into the
    beginning: loaders fill up a last batch so, and the floor holds across it.

    From batch to batch, each must lie behind the one before it by what the other workers and
    processes read in between, or lie where a run begins. Two things are allowed besides:

    * the first batch of a process may lie anywhere, as that of a resumed run does, but the next
      must follow it. The workers of a loader also compare their first batches, so that a shuffled
      loader is refused at its second batch, however many workers it has;
    * a process that is no worker, and so may read for one run after another, may leave off a run
      to resume one elsewhere, though not within one iteration over a loader. Where that run did not
      begin here, it must first have read on: by one batch to go back, and by two to go ahead, which
      shuffled pairs of batches never do.

    Args:
        num_slots: Length of the stream.
    """

    def __init__(self, num_slots: int) -> None:
        self._num_slots = num_slots
        self._starts = WorkerStarts()
        self._process = os.getpid()
        self._last: Sequence[int] = ()
        self._began_at = -1
        self._began = False
        self._followed = 0
        self._fetcher: weakref.ref[Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fetcher": None}

    def check(self, slots: Sequence[int]) -> None:
        """Refuse a batch that is out of order.

        Args:
            slots: Those of one batch, at least one.

        Raises:
            MixOrderError: The batch is out of order, or does not follow the one before it.
        """
        slots = list(slots)
        # A subclass of int may be slower in all that follows, and another type may know no order.
        if set(map(type, slots)) != {int}:
            slots = [operator.index(slot) for slot in slots]
        processes = divisors(launched_processes())
        if slots != list(range(slots[0], slots[0] + len(slots))):  # the usual, in no time
            steps = {(b - a) % self._num_slots for a, b in pairwise(slots)}
            if len(steps) > 1 or not steps <= self._strides(processes, 1):
                raise disorder(slots)
        if os.getpid() != self._process:
            # A forked worker brings along what its parent has read.
            self._process, self._last, self._began_at = os.getpid(), (), -1
        self._check_place(slots, processes, reads_on=self._reads_on())
        self._last = slots

    def _reads_on(self) -> bool:
        """Whether the batch before this one was read for the same iteration over a loader."""
        now = fetching()
        before = None if self._fetcher is None else self._fetcher()
        self._fetcher = None if now is None else weakref.ref(now.fetcher)
        return now is not None and now.fetcher is before

    def _check_place(
        self, slots: Sequence[int], processes: tuple[int, ...], *, reads_on: bool
    ) -> None:
        first, size, last = slots[0], len(slots), self._last
        worker = get_worker_info()
        workers = 1 if worker is None else worker.num_workers
        # A process may have one batch of a pass, the short last one: it begins there each time.
        begins = first < workers * max(processes) * size or first == self._began_at
        if not last:
            self._began_at = first
            if worker is not None:
                self._compare_starts(worker.id, workers, slots, processes)
            self._began, self._followed = begins, 0
            return
        strides = self._strides(processes, workers * len(last))
        if begins or (first - last[0]) % self._num_slots in strides:
            self._began |= begins
            self._followed += 1
            return
        read_on = self._followed >= (2 if first > last[0] else 1)
        if worker is not None or reads_on or not (self._began or read_on):
            raise disorder([last[-1], first])
        self._began, self._followed = False, 0

    def _compare_starts(
        self, worker: int, workers: int, slots: Sequence[int], processes: tuple[int, ...]
    ) -> None:
        for other, other_first, other_size in self._starts.enter(worker, slots[0], len(slots)):
            # A resumed loader may have begun with any of its workers, hence round the circle.
            away = (worker - other) % workers
            size = max(len(slots), other_size)
            strides = self._strides(processes, away * size)
            strides |= self._strides(processes, (away - workers) * size)
            if (slots[0] - other_first) % self._num_slots not in strides:
                raise disorder([other_first, slots[0]])

    def _strides(self, processes: tuple[int, ...], slots: int) -> set[int]:
        return {dealt_to * slots % self._num_slots for dealt_to in processes}


_DEEPEST = 100
"""Samplers in one another, beyond which there is no end."""


def check_loader(loader: "DataLoader[object]") -> None:
    """Refuse a loader that will not read its data set in order, before it has read anything.

    Knows torch's own samplers, also inside accelerate's batch samplers. Nothing is iterated, so
    that no random number is drawn.

    Args:
        loader: A torch `DataLoader`, as made by hand, by the Trainer or by accelerate.

    Raises:
        MixOrderError: Its sampler is none that is known to keep the order, or its workers hand
            over batches as they come (`in_order=False`).
    """
    check_torch_loader(loader)
    sampler: object = loader.sampler if loader.batch_sampler is None else loader.batch_sampler
    # An object that is no sampler may name itself as the one inside it.
    for _ in range(_DEEPEST):
        inner = getattr(sampler, "batch_sampler", getattr(sampler, "sampler", None))
        if inner is None:
            break
        sampler = inner
    in_order = isinstance(sampler, SequentialSampler) or (
        isinstance(sampler, DistributedSampler) and not sampler.shuffle
    )
    if not in_order:
        raise MixOrderError(f"MixGuard would be read through {type(sampler).__name__}, {_REMEDY}")
    if loader.num_workers and not getattr(loader, "in_order", True):
        raise MixOrderError(f"MixGuard would be read with in_order=False, {_REMEDY}")


@cache
def divisors(number: int) -> tuple[int, ...]:
    """The whole parts that so many processes can be dealt out to, in rising order."""
    return tuple(divisor for divisor in range(1, number + 1) if number % divisor == 0)


def disorder(slots: Sequence[int]) -> MixOrderError:
    """What is said of slots that were asked for one after another."""
    shown = ", ".join(map(str, slots[:6])) + (", ..." if len(slots) > 6 else "")
    return MixOrderError(f"MixGuard was asked for slots {shown} one after another, {_REMEDY}")
