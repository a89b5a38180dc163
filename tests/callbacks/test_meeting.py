"""Processes meet at a store, and say who is missing: here threads stand for them."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch.distributed as dist

from collapse_guard.callbacks.meeting import meet, roll_call


def at_once(function: Any, store: dist.Store, ranks: list[int], size: int, **late: float) -> Any:
    """What each of these ranks returns, where some come late by so many seconds."""

    def go(rank: int) -> list[int]:
        time.sleep(late.get(f"r{rank}", 0.0))
        return function(store, rank=rank, size=size, within=0.5)

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(go, ranks))


@pytest.mark.parametrize("late", [{}, {"r1": 0.2}])
def test_all_come(late: dict[str, float]) -> None:
    assert at_once(meet, dist.HashStore(), [0, 1, 2], 3, **late) == [[], [], []]


def test_those_that_do_not_come_are_named_in_time() -> None:
    began = time.monotonic()
    assert at_once(meet, dist.HashStore(), [0, 3], 4) == [[1, 2], [1, 2]]
    assert 0.5 <= time.monotonic() - began < 5.0


def test_who_has_waited_in_vain_can_be_met_later() -> None:
    store = dist.HashStore()
    assert at_once(meet, store, [0], 2) == [[1]]
    # Not by one that comes alone, too late.
    assert at_once(meet, store, [1], 2) == [[]] or store.add("number", 0) == 0
    assert at_once(meet, store, [0, 1], 2) == [[], []]


def test_the_roll_is_called_of_those_that_live() -> None:
    assert at_once(roll_call, dist.HashStore(), [0, 1], 2) == [[], []]
    assert at_once(roll_call, dist.HashStore(), [0, 2], 3, r2=0.1) == [[1], [1]]
