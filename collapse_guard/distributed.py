"""What the processes of a distributed run do together: decide, share out, and add up.

Every process must call each of these, at the same point of the run and equally often, but for those
that only say how many processes there are. On a single process they are free.

They talk over the training's own process group, but inside of `reduced_by`, which is how a session
sees to it that a process that fails or hangs does not hold up the others.
"""

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

from collapse_guard.errors import CalledOffError, PeerError

T = TypeVar("T")
Floats = npt.NDArray[np.float64]

Reduce = Callable[[Floats, "dist.ReduceOp.RedOpType"], Floats]
"""Reduces float64 of any shape over all processes: a sum, or the largest of each."""

_REDUCE: ContextVar[Reduce | None] = ContextVar("reduce", default=None)


def num_processes() -> int:
    """How many processes train together; 1 where nothing is distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def launched_processes() -> int:
    """How many processes a launcher started to train together: known in their workers too.

    A spawned worker of a loader has no process group, but its launcher's variables.
    """
    if dist.is_available() and dist.is_initialized():
        return dist.get_world_size()
    return int(os.environ.get("WORLD_SIZE") or 1)


def launched_rank() -> int:
    """Which of the launched processes this is, or is a worker of: from 0."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank()
    return int(os.environ.get("RANK") or 0)


def is_first_process() -> bool:
    """Whether this is the process that files and messages come from."""
    return num_processes() == 1 or dist.get_rank() == 0


def any_process(flag: bool) -> bool:
    """Whether the flag is up on any process; on one process, the flag itself."""
    return bool(largest([float(flag)])[0])


def largest(numbers: Sequence[float]) -> list[float]:
    """Each number's largest value among the processes."""
    if num_processes() == 1:
        return list(numbers)
    return list(_reduced(np.array(numbers, dtype=np.float64), dist.ReduceOp.MAX))


def of_first_process(numbers: Sequence[float]) -> list[float]:
    """The numbers of the first process, on all of them: equally many on each."""
    if num_processes() == 1:
        return list(numbers)
    mine = np.array(numbers, dtype=np.float64)
    return list(summed(mine if is_first_process() else np.zeros(len(numbers))))


def summed(values: Floats) -> Floats:
    """The sum over all processes.

    Args:
        values: float64 of any shape, the same on all.
    """
    return values if num_processes() == 1 else _reduced(values, dist.ReduceOp.SUM)


@contextmanager
def reduced_by(reduce: Reduce | None) -> Iterator[None]:
    """Let all that is done together in a block go another way than the training's process group.

    Args:
        reduce: That way; None for the training's own group.
    """
    token = _REDUCE.set(reduce)
    try:
        yield
    finally:
        _REDUCE.reset(token)


def work_through(
    items: Sequence[T], work: Callable[[T, bool], None], *, across_processes: bool
) -> None:
    """Do some work in pieces, which the processes may share so that it succeeds on all or none.

    Where parameters are sharded (FSDP), a model answers only when all processes call it. So all do
    equally many pieces: one that has run out of them does one that does not count, and one at which
    a piece fails goes through the rest of its pieces before it says so. Only where a sharded model
    fails half-way through a pass, and on one process alone, do the others wait in that pass, as
    they would in training.

    Args:
        items: The pieces, in the same order on all processes.
        work: Does a piece; it is told too whether what comes out counts here.
        across_processes: Whether each piece is done on one process for all, or all on each.

    Raises:
        PeerError: A piece failed on another process, and none on this one.
    """
    if not across_processes or num_processes() == 1:
        for item in items:
            work(item, True)
        return
    failure: Exception | None = None
    with all_or_none():
        for item, counts in _dealt(items):
            try:
                work(item, counts)
            except CalledOffError:
                raise
            except Exception as error:
                # What the failed piece holds is memory that the next may want.
                traceback.clear_frames(error.__traceback__)
                failure = failure or error
        if failure is not None:
            raise failure


@contextmanager
def all_or_none() -> Iterator[None]:
    """Run a block on all processes so that it succeeds on all, or raises on all.

    A process that went on alone would wait for ever in the next reduction.

    Raises:
        PeerError: The block failed on another process, and not on this one.
    """
    failure: Exception | None = None
    try:
        yield
    except CalledOffError:
        # There is nobody left to ask.
        raise
    except Exception as error:
        failure = error
    failed_somewhere = any_process(failure is not None)
    if failure is not None:
        raise failure
    if failed_somewhere:
        raise PeerError(
            "another process could not look at the model, so that this look is given up on all: "
            "its log says why."
        )


def _dealt(items: Sequence[T]) -> Iterator[tuple[T, bool]]:
    """This process's share of the pieces, and whether each counts here."""
    processes, rank = num_processes(), dist.get_rank()
    for first in range(0, len(items), processes):
        counts = first + rank < len(items)
        yield items[first + rank if counts else 0], counts


def _reduced(values: Floats, how: "dist.ReduceOp.RedOpType") -> Floats:
    reduce = _REDUCE.get() or reduce_in_training_group
    return reduce(values, how)


def reduce_in_training_group(values: Floats, how: "dist.ReduceOp.RedOpType") -> Floats:
    """As `Reduce`, in the process group that the training itself uses."""
    shared = torch.from_numpy(values.astype(np.float64)).to(_device())
    dist.all_reduce(shared, op=how)
    reduced: Floats = shared.cpu().numpy()
    return reduced


def _device() -> torch.device:
    """A device that the process group can reduce on: the CPU wherever it may be."""
    # Such as "cpu:gloo,cuda:nccl", or "cuda:nccl".
    backends = str(dist.get_backend_config())
    if "gloo" in backends or "mpi" in backends:
        return torch.device("cpu")
    kind = backends.partition(":")[0]
    return torch.device(kind, torch.get_device_module(kind).current_device())
