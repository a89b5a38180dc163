"""Refuses a loader that reads a stream out of order through a data set around it, row by row."""

import os
from typing import Any
from weakref import WeakKeyDictionary

from torch.utils.data import IterableDataset, get_worker_info

from collapse_guard.distributed import launched_processes
from collapse_guard.mixing.loaders.fetching import fetching
from collapse_guard.mixing.loaders.order_check import disorder, divisors
from collapse_guard.mixing.loaders.worker_starts import WorkerStarts

_MOST_PER_ITEM = 64
"""Slots that a data set may join to one item."""


class SingleReads:
    """Watches slots that are asked for one by one while a torch loader fetches a batch.

    So are those of a data set around the stream (`class Mine(Dataset)`, `ConcatDataset`), whose
    loader knows nothing of slots. What nobody's loader asks for, in a notebook or in a collator,
    may be read in any order.

    The slots of one batch must run on, from item to item by as many as each item takes or, where a
    `DistributedSampler` deals items out, by those of all processes. A batch must lie behind the one
    before it by what the other workers and processes read in between. The first batch of a loader
    may lie anywhere, but those of its workers must fit to each other.

    Args:
        num_slots: Length of the stream.
    """

    def __init__(self, num_slots: int) -> None:
        self._num_slots = num_slots
        self._starts = WorkerStarts()
        self._compared_in = -1
        self._runs: WeakKeyDictionary[Any, _Run] = WeakKeyDictionary()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_runs": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _runs=WeakKeyDictionary())

    def check(self, slot: int) -> None:
        """Refuse a slot that is out of order.

        Args:
            slot: From 0 to before the stream's length.

        Raises:
            MixOrderError: A loader asks for it at the wrong place.
        """
        now = fetching()
        if now is None:
            return
        fetcher, batch = now
        run = self._runs.get(fetcher)
        if run is None:
            # A loader's iterator has a fetcher of its own in each worker.
            run = self._runs[fetcher] = _Run(self._num_slots, divisors(launched_processes()))
        if not run.follows(slot, batch):
            raise disorder([run.last, slot])
        self._compare_starts(run, fetcher.dataset)

    def _compare_starts(self, run: "_Run", data: object) -> None:
        worker = get_worker_info()
        # Workers that stay begin anew, when what the others wrote down is of another pass.
        if worker is None or self._compared_in == os.getpid() or not run.has_begun:
            return
        self._compared_in = os.getpid()
        if isinstance(data, IterableDataset):
            # Each worker goes its own way through the stream.
            return
        for other, other_slot, size in self._starts.enter(worker.id, run.first, run.size):
            away = (worker.id - other) % worker.num_workers
            apart = (run.first - other_slot) % self._num_slots
            items = max(size, run.size)
            if not run.may_lie_apart(apart, [away * items, (away - worker.num_workers) * items]):
                raise disorder([other_slot, run.first])


class _Run:
    """The slots that one iterator over a loader asks for."""

    def __init__(self, num_slots: int, processes: tuple[int, ...]) -> None:
        self._num_slots = num_slots
        self._processes = processes
        self._batch: object = None
        self._in_a_row = 0
        self._number = 0
        self._slots = 0
        self.first = self.last = -1
        self.size = 0

    @property
    def has_begun(self) -> bool:
        """Whether this is the first batch, and as many slots of it were read as it has items."""
        return self._number == 1 and self._slots == self.size

    def follows(self, slot: int, batch: object) -> bool:
        """Whether a slot may come next, in what is fetched as this batch."""
        if batch is not self._batch or self._number == 0:
            fits = self._begins(slot, batch)
        elif slot == self.last:
            return True
        else:
            fits = self._runs_on(slot)
        if fits:
            self.last = slot
            self._slots += 1
        return fits

    def may_lie_apart(self, apart: int, items: list[int]) -> bool:
        """Whether two workers may begin so many slots apart, which stand for so many items."""
        return any(
            apart == number * each * dealt_to % self._num_slots
            for each in range(1, _MOST_PER_ITEM + 1)
            for number in items
            for dealt_to in self._processes
        )

    def _begins(self, slot: int, batch: object) -> bool:
        worker = get_worker_info()
        workers = 1 if worker is None else worker.num_workers
        size = len(batch) if isinstance(batch, list | tuple) else 1
        fits = self._number == 0
        if not fits:
            apart = (slot - self.first) % self._num_slots
            most = workers * self._processes[-1] * max(size, self._slots)
            strides = {
                turns * self._slots * dealt_to % self._num_slots
                for turns in (1, workers)
                for dealt_to in self._processes
            }
            # Of a batch that another data set has a part in, fewer are read here.
            is_part = self._slots < self.size
            fits = apart in strides or slot < most or (is_part and 0 < apart <= most)
        # Held on to, so that no other batch is taken for it.
        self._batch, self.first, self.size = batch, slot, size
        self._number, self._slots, self._in_a_row = self._number + 1, 0, 1
        return fits

    def _runs_on(self, slot: int) -> bool:
        step = (slot - self.last) % self._num_slots
        if step == 1:
            self._in_a_row += 1
            return True
        in_a_row, self._in_a_row = self._in_a_row, 1
        dealt = {(dealt_to - 1) * in_a_row + 1 for dealt_to in self._processes}
        # A last batch may be filled up from the start, which a part of the stream ends before.
        return step in dealt or slot < self._processes[-1] * in_a_row
