"""Where each worker of a loader begins to read, written down where the others can see it."""

from contextlib import suppress
from multiprocessing import current_process
from typing import Any

import torch
from torch.utils.data import get_worker_info

_MOST_WORKERS = 256
_BOUND = 2**62


class _Shared:
    """A table that a process and the workers that it starts write to and read from."""

    def __init__(self) -> None:
        self._table: Any = _shared_table()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if not self._table.is_shared():
            # A copy that was made without torch's help, to be read by workers of its own.
            self._table = _shared_table()


class WorkerStarts(_Shared):
    """First batches of a loader's workers, in memory that all of them share.

    A worker sees one batch in `num_workers`, and a batch of one slot shows no order. Each worker
    writes its own first batch down before it reads the others', so that of any two at least one
    sees both, before either batch is handed on.
    """

    def enter(self, worker: int, slot: int, size: int) -> list[tuple[int, int, int]]:
        """Write down a worker's first batch, and see those of the others.

        Args:
            worker: Number of the worker that calls.
            slot: First slot of its first batch.
            size: Slots of that batch.

        Returns:
            Number, first slot and size of every other worker of the same loader that has begun.
        """
        if worker >= _MOST_WORKERS:
            return []
        loader = _loader_number(worker)
        self._table[worker, 1], self._table[worker, 2] = slot, size
        # Last, because it says that the others are there.
        self._table[worker, 0] = loader
        return [
            (other, other_slot, other_size)
            for other, (number, other_slot, other_size) in enumerate(self._table.tolist())
            if number == loader and other != worker
        ]


class GoneOn(_Shared):
    """Which iteration has gone on from a state: a process that has workers cannot see it begin."""

    def claim(self) -> bool:
        """Whether this iteration is the first to go on from there."""
        worker = get_worker_info()
        number = -1 if worker is None else _loader_number(worker.id)
        if not int(self._table[0, 0]):
            self._table[0, 0] = number
        return int(self._table[0, 0]) == number


def _shared_table() -> torch.Tensor:
    # A torch tensor, and no plain shared memory, because torch hands it on to forked and to spawned
    # workers alike.
    table: Any = torch.zeros((_MOST_WORKERS, 3), dtype=torch.int64)
    # Where there is no shared memory, torch's loaders have no workers either.
    with suppress(OSError, RuntimeError):
        table.share_memory_()
    shared: torch.Tensor = table
    return shared


def _loader_number(worker: int) -> int:
    """A number above 0 that the workers of one iterator over a loader share, and no others."""
    # Processes are numbered by their parent, and a loader's workers are started one after another.
    *parents, number = getattr(current_process(), "_identity", ()) or (0,)
    return hash((*parents, number - worker)) % _BOUND + 1
