"""What processes do together ends on all of them: here threads stand for processes."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import torch.distributed as dist

from collapse_guard.callbacks.peers import Peers, gather
from collapse_guard.errors import LostPeerError, PeerError

SIZE = 3
SUM, MAX = dist.ReduceOp.SUM, dist.ReduceOp.MAX
Work = Callable[[Peers, int], Any]


def never(error: Exception) -> bool:
    return isinstance(error, KeyError)


def together(*works: Work, within: float = 30.0) -> list[list[Any]]:
    """What each piece of work comes to, by rank: its result, or its error."""
    store = dist.HashStore()

    def go(rank: int) -> list[Any]:
        group = dist.ProcessGroupGloo(store, rank, SIZE, timedelta(seconds=within))
        peers = Peers(store, group, rank=rank, size=SIZE, within=within)
        return [outcome(peers, rank, work) for work in works]

    def outcome(peers: Peers, rank: int, work: Work) -> Any:
        try:
            return peers.agree(lambda: work(peers, rank), never)
        except Exception as error:
            return error

    with ThreadPoolExecutor(SIZE) as pool:
        return list(pool.map(go, range(SIZE)))


def summed(peers: Peers, rank: int) -> list[float]:
    return peers.reduced(np.array([[1.0, rank]]), SUM).tolist()


@pytest.mark.parametrize("shape", [(1,), (60,), (61,), (7, 30)])
def test_sums_and_largest_values_of_any_shape(shape: tuple[int, ...]) -> None:
    def both(peers: Peers, rank: int) -> list[Any]:
        mine = np.full(shape, -1.0 - rank)
        return [peers.reduced(mine, SUM), peers.reduced(mine, MAX)]

    for ((total, largest),) in together(both):
        assert np.array_equal(total, np.full(shape, -6.0))
        assert np.array_equal(largest, np.full(shape, -1.0))


@pytest.mark.parametrize("reductions", [0, 1, 3])
@pytest.mark.parametrize("how", [SUM, MAX])
def test_a_failure_ends_it_on_all_wherever_they_are_and_nothing_after_it(
    reductions: int, how: Any
) -> None:
    def work(peers: Peers, rank: int) -> str:
        for at in range(3):
            if rank == 1 and at == reductions:
                raise ValueError("broken")
            peers.reduced(np.zeros(3 if at else 100), how)
        if rank == 1:
            raise ValueError("broken")
        return "done"

    first, second, third = together(work, summed)
    assert type(second[0]) is ValueError
    for error in (first[0], third[0]):
        assert type(error) is PeerError
        assert "process 1: ValueError: broken" in str(error)
        assert not error.never_passes
    assert first[1] == second[1] == third[1] == [[3.0, 3.0]]


def test_who_swallows_it_is_told_at_the_end() -> None:
    def work(peers: Peers, rank: int) -> str:
        if rank == 1:
            raise KeyError("for good")
        for _ in range(2):
            with pytest.raises(PeerError):
                peers.reduced(np.zeros(1), MAX)
        return "done"

    first, second, third = together(work, summed)
    assert type(second[0]) is KeyError
    for error in (first[0], third[0]):
        assert type(error) is PeerError
        assert error.never_passes
        assert "process 1: KeyError" in str(error)
    assert first[1] == [[3.0, 3.0]]


def test_what_never_passes_is_known_to_all() -> None:
    def work(peers: Peers, rank: int) -> str:
        if rank == 2:
            raise KeyError("for good")
        return summed(peers, rank)

    def both(peers: Peers, rank: int) -> str:
        raise KeyError("for good") if rank == 2 else ValueError("broken")

    for case in (work, both):
        first, second, third = together(case)
        assert first[0].never_passes
        assert second[0].never_passes
        assert type(third[0]) is KeyError


def test_processes_that_do_not_do_the_same_are_told() -> None:
    def work(peers: Peers, rank: int) -> Any:
        return peers.reduced(np.zeros(1 + rank // 2), MAX)

    for error, after in together(work, summed):
        assert type(error) is PeerError
        assert after == [[3.0, 3.0]]


def test_nothing_is_agreed_where_nothing_was_done() -> None:
    def work(peers: Peers, rank: int) -> str:
        return ""

    # Else the first of two frames would meet the second.
    def uneven(peers: Peers, rank: int) -> Any:
        return "" if rank else []

    assert [each[2] for each in together(work, uneven, summed)] == [[[3.0, 3.0]]] * SIZE


def test_one_that_hangs_is_named_and_nobody_waits_again() -> None:
    def work(peers: Peers, rank: int) -> Any:
        if rank == 1:
            time.sleep(4.0)
        return summed(peers, rank)

    def timed(peers: Peers, rank: int) -> Any:
        return summed(peers, rank)

    began = time.monotonic()
    first, second, third = together(work, timed, within=1.0)
    assert time.monotonic() - began < 15.0
    for error in (*first, *third):
        assert type(error) is LostPeerError
        assert "process 1 died, or did not come within 1 s" in str(error)
    assert type(second[0]) is LostPeerError
    assert "later than the others waited" in str(second[0])


def test_one_process_has_none() -> None:
    assert gather("collapse", 1.0) is None
