"""Compares what the readers of a stream see of its sources, where they can talk to each other."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import torch.distributed as dist
from torch.utils.data import get_worker_info

from collapse_guard.distributed import launched_processes, launched_rank
from collapse_guard.mixing.loaders.worker_starts import WorkerStarts

_WITHIN = timedelta(seconds=3)
"""How long a worker tries to reach the store of its run."""

_BITS = 60
"""Of a digest, those that fit into a table of whole numbers."""

_SAID: dict[tuple[int, str], list[str]] = {}
"""What this process has said, by its rank and the place."""

Differs = Callable[[int, int, str], bool]
"""Whether another reader saw another row than this one, by its pass, its place and its digest."""


class FirstRows:
    """What each reader has seen first of each source, written down where the others can see it.

    The workers of a loader see each other's in shared memory, the processes of a run in the store
    that they have met at. Each writes down its own before it looks at the others', and nobody waits
    for anybody: of any two readers that begin at the same row at least one sees both. Who cannot
    reach the others sees nothing.

    Args:
        num_sources: How many sources there are.
    """

    def __init__(self, num_sources: int) -> None:
        self._of_workers = [WorkerStarts() for _ in range(num_sources)]

    def of_sources(self, identity: Mapping[str, Any], *, is_shared: bool) -> list[Differs]:
        """What compares the first row that a reader reads of each source.

        Args:
            identity: What names the stream, alike in all processes.
            is_shared: Whether all processes read this stream, each a part of it.
        """
        told = json.dumps(identity, sort_keys=True).encode()
        run = f"collapse_guard/first rows/{hashlib.sha256(told).hexdigest()[:16]}"

        def of(source: int) -> Differs:
            def differs(pass_number: int, row: int, digest: str) -> bool:
                place = f"{run}/{source}/{pass_number}/{row}"
                apart = is_shared and _differs_among_processes(place, digest)
                return self._differs_among_workers(source, (pass_number, row), digest) or apart

            return differs

        return [of(source) for source in range(len(self._of_workers))]

    def _differs_among_workers(self, source: int, place: Sequence[int], digest: str) -> bool:
        worker = get_worker_info()
        if worker is None:
            return False
        key = hash(tuple(place)) % 2**_BITS
        mine = int(digest, 16) % 2**_BITS
        others = self._of_workers[source].enter(worker.id, mine, key)
        return any(theirs != mine for _, theirs, at in others if at == key)


def _differs_among_processes(place: str, digest: str) -> bool:
    mine, others = exchanged(place, digest)
    return any(not set(mine) & set(theirs) for theirs in others)


def exchanged(place: str, word: str) -> tuple[list[str], list[list[str]]]:
    """Leave word for the other processes of the run, and see what they have left there.

    Several mixes may use one place, such as one for each generation, and one process may be ahead
    of others: so all that was ever said there is kept.

    Args:
        place: Its name, alike in all processes.
        word: What this process, or its worker, has to say.

    Returns:
        All that this one has said there, and each of the others that have been there before; none
        of these where they cannot be reached.
    """
    size, rank = launched_processes(), launched_rank()
    mine = _SAID.setdefault((rank, place), [])
    mine += [word] if word not in mine else []
    if size == 1:
        return mine, []
    keys = [f"{place}/{other}" for other in range(size) if other != rank]
    try:
        store = _store()
        if store is None:
            return mine, []
        store.set(f"{place}/{rank}", json.dumps(mine))
        return mine, [json.loads(store.get(key)) for key in keys if store.check([key])]
    except (RuntimeError, OSError, ValueError):
        return mine, []


def _store() -> Any:
    """Where the processes of this run can leave word for each other."""
    if not dist.is_available():
        return None
    met: Any = dist
    if get_worker_info() is None:
        return met.distributed_c10d._get_default_store() if dist.is_initialized() else None
    # A forked worker must not use its parent's connection.
    host, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    if not host or not port:
        return None
    return met.TCPStore(host, int(port), is_master=False, wait_for_workers=False, timeout=_WITHIN)
