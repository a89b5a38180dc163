"""Training on several processes of this machine."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import torch.distributed as dist

from collapse_guard import CollapseMonitor
from collapse_guard.monitor.stopwatch import Stopwatch
from tests.forking import WORLD, finish

_PATIENCE = timedelta(seconds=60)
"""A process that waits for another longer than this hangs, and fails."""


def on_processes(work: Callable[..., Any], folder: Path, *args: Any) -> list[Any]:
    """What `work(*args)` returns on each process of a gloo group, after a trip through JSON.

    Args:
        work: A function of a module, since each process imports that anew.
        folder: An empty one for what the processes exchange.
        args: What can be pickled.
    """
    finish(_in_group, work, str(folder), args)
    return _results(folder)


def on_launched_processes(work: Callable[..., Any], folder: Path, *args: Any) -> list[Any]:
    """The same where a framework makes the group, from what a launcher puts in the environment."""
    finish(_launched, work, str(folder), free_port(), args)
    return _results(folder)


class UnevenClock:
    """A clock that goes by how often it is read, and three times as fast on the second process."""

    def __init__(self) -> None:
        self.now = 0.0
        self._is_second = os.environ["RANK"] == "1"
        self._tick = 0.003 if self._is_second else 0.001

    def __call__(self) -> float:
        self.now += self._tick
        return self.now

    def train(self) -> None:
        """Let a step pass, which on the second process takes fifty times as long."""
        self.now += 0.05 if self._is_second else 0.001


@contextmanager
def uneven_clock(monitor: CollapseMonitor) -> Iterator[UnevenClock]:
    """Let a monitor that has not started tell the time by such a clock."""
    clock = UnevenClock()
    monitor._run.clock = Stopwatch(clock)
    with mock.patch.object(time, "perf_counter", clock):
        yield clock


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _in_group(rank: int, work: Callable[..., Any], folder: str, args: tuple[Any, ...]) -> None:
    os.environ["RANK"] = str(rank)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=WORLD,
        timeout=_PATIENCE,
    )
    _keep(work, args, rank, folder)


def _launched(
    rank: int, work: Callable[..., Any], folder: str, port: int, args: tuple[Any, ...]
) -> None:
    take_place(rank, port)
    _keep(work, args, rank, folder)


def take_place(rank: int, port: int) -> None:
    """Have this process believe that a launcher started it as this one."""
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        NODE_RANK="0",
        WORLD_SIZE=str(WORLD),
        LOCAL_WORLD_SIZE=str(WORLD),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        ACCELERATE_USE_CPU="1",
    )


def _keep(work: Callable[..., Any], args: tuple[Any, ...], rank: int, folder: str) -> None:
    result = work(*args)
    Path(folder, f"{rank}.json").write_text(json.dumps(result))
    if dist.is_initialized():
        # A process that left early would break the last reduction of one that is still in it.
        dist.barrier()
        dist.destroy_process_group()


def _results(folder: Path) -> list[Any]:
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(WORLD)]
