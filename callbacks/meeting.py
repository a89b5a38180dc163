"""Whether all processes come to one place, found out without waiting for one that never does.

Over the store that the processes have met at when their group was made: no reduction is needed, so
that nothing of the training is touched, and one that comes too late disturbs nobody.
"""

import time
from collections.abc import Callable

from torch.distributed.distributed_c10d import Store

_LONGEST_PAUSE = 0.02
"""Seconds between two questions to the store."""


def meet(store: Store, *, rank: int, size: int, within: float) -> list[int]:
    """Wait until all processes have come.

    A process that has waited in vain leaves again, so that all can meet at this place later.

    Args:
        store: Their place: a part of the store that is used for nothing else.
        rank: The number of this one.
        size: How many there are.
        within: Seconds to wait at most.

    Returns:
        Numbers of those that have not come in time: none where all have.
    """
    store.set(str(rank), "here")
    if store.add("number", 1) == size:
        store.set("all", "here")
        return []
    if _waited(lambda: store.check(["all"]), within):
        return []
    if store.add("number", -1) == size - 1:
        # The last one has come just now, and the others go on with this one.
        return []
    return _absent(store, rank, size)


def roll_call(store: Store, *, rank: int, size: int, within: float) -> list[int]:
    """Which of the other processes do not answer.

    Args:
        store: As in `meet`; each process calls the roll at one place once.
        rank: As in `meet`.
        size: As in `meet`.
        within: Seconds that they have for it.
    """
    store.set(str(rank), "here")
    _waited(lambda: not _absent(store, rank, size), within)
    return _absent(store, rank, size)


def _absent(store: Store, rank: int, size: int) -> list[int]:
    return [other for other in range(size) if other != rank and not store.check([str(other)])]


def _waited(has_come: Callable[[], bool], within: float) -> bool:
    # Asked again and again, since a store that waits keeps others of this process from using it.
    end, pause = time.monotonic() + within, 0.001
    while not has_come():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    return True
