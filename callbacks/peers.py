"""The processes of a distributed run, none of which waits for ever for another in a look.

All that a look does together goes through frames of one size, in a process group of the session's
own. One whose look fails sends a frame that says so, wherever the others are in theirs, and the
look ends on all. One that dies or hangs is missed within a time limit, and nothing is done together
from then on.
"""

import logging
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar, cast

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import (
    AllreduceOptions,
    PrefixStore,
    ProcessGroup,
    Store,
    _get_default_store,
)

from collapse_guard.callbacks.meeting import meet, roll_call
from collapse_guard.distributed import (
    Floats,
    num_processes,
    reduce_in_training_group,
    reduced_by,
)
from collapse_guard.errors import CalledOffError, LostPeerError, PeerError

logger = logging.getLogger("collapse_guard")

T = TypeVar("T")
NeverPasses = Callable[[Exception], bool]
"""Whether it is of no use to try again what ended in an error."""

_FRAME = 64
"""Numbers in a frame."""

_HEAD = 4
"""Of these in front: whether one has failed, whether for good, where it is, and minus that."""

_ANSWER = 1.0
"""Seconds in which those who waited too say so: it ends for all of them at once."""

_MEETINGS: Counter[str] = Counter()


class Peers:
    """All processes of a run, this one among them.

    Args:
        store: A part of their store that nothing else uses.
        group: A process group of their own, with a time limit; None to use the training's.
        rank: The number of this one.
        size: How many there are.
        within: The time limit in seconds.
    """

    def __init__(
        self,
        store: Store,
        group: ProcessGroup | None,
        *,
        rank: int,
        size: int,
        within: float,
    ) -> None:
        self._store, self._group = store, group
        self._rank, self._size, self._within = rank, size, within
        self._lost: LostPeerError | None = None
        self._is_over, self._is_for_good = False, False
        self._at, self._agreed = 0, 0

    def agree(self, work: Callable[[], T], never_passes: NeverPasses) -> T:
        """Do some work on all processes so that it succeeds on all, or raises on all.

        Args:
            work: Returns something false where it has done nothing, on all processes alike.
            never_passes: What a failure here means for all.

        Raises:
            PeerError: It failed on another process; says which, and why.
            LostPeerError: Another process has died, or did not come in time.
        """
        self._check()
        self._is_over, self._is_for_good, self._at = False, False, 0
        with reduced_by(self.reduced):
            try:
                result = work()
            except Exception as error:
                self._close(error, never_passes)
                raise
        if result or self._is_over:
            self._close(None, never_passes)
        return result

    def reduced(self, values: Floats, how: "dist.ReduceOp.RedOpType") -> Floats:
        """As `collapse_guard.distributed.Reduce`, inside of `agree`.

        Raises:
            CalledOffError: Another process has left what is done together.
            LostPeerError: As `agree`.
        """
        self._check()
        if self._is_over:
            raise CalledOffError("another process has given this up.")
        flat = values.astype(np.float64).ravel()
        fits = flat.size <= _FRAME - _HEAD
        self._at += 1
        seen = self._exchange(flat if fits else flat[:0], how, f"{self._at} {flat.size} {how}")
        return (seen if fits else self._all_reduce(flat, how)).reshape(values.shape)

    def _close(self, failure: Exception | None, never_passes: NeverPasses) -> None:
        """End a piece of work: this process has failed at it, or not.

        Raises:
            PeerError: As `agree`; what failed here is for the caller to raise.
        """
        self._agreed += 1
        is_mine = failure is not None and not isinstance(failure, PeerError)
        never = failure is not None and is_mine and never_passes(failure)
        if self._lost is None and not self._is_over:
            try:
                if is_mine:
                    why = f"process {self._rank}: {type(failure).__name__}: {failure}"
                    with suppress(RuntimeError):
                        self._store.set(f"why {self._agreed}", why.strip().partition("\n")[0])
                self._exchange(
                    np.zeros(0), dist.ReduceOp.MAX, "end", failed=failure is not None, never=never
                )
            except CalledOffError as error:
                failure = failure or error
        if self._lost is not None:
            raise self._lost from failure
        # All have to know alike whether to try again, whatever each has met itself.
        if self._is_over and (not is_mine or self._is_for_good > never):
            raise PeerError(
                f"it is given up on all processes, since one of them failed ({self._why()}).",
                never_passes=self._is_for_good,
            ) from failure

    def _why(self) -> str:
        key = f"why {self._agreed}"
        with suppress(RuntimeError):
            if self._store.check([key]):
                why: str = self._store.get(key).decode()
                return why
        return "its log says why"

    def _exchange(
        self,
        values: Floats,
        how: "dist.ReduceOp.RedOpType",
        place: str,
        *,
        failed: bool = False,
        never: bool = False,
    ) -> Floats:
        mark = float(zlib.crc32(place.encode()))
        frame = np.zeros(_FRAME)
        frame[:_HEAD] = failed, never, mark, -mark
        frame[_HEAD : _HEAD + values.size] = values
        frame = self._all_reduce(frame, how)
        all_marks = mark * (self._size if how == dist.ReduceOp.SUM else 1)
        # Sums and largest values alike, as one that has failed does not know which the others take.
        has_failed = frame[0] > 0
        if has_failed or frame[2] != all_marks or frame[3] != -all_marks:
            self._is_over, self._is_for_good = True, bool(has_failed and frame[1] > 0)
            raise CalledOffError(
                "another process has given this up."
                if has_failed
                else "the processes do not do the same, and can agree on nothing here."
            )
        return frame[_HEAD : _HEAD + values.size]

    def _all_reduce(self, values: Floats, how: "dist.ReduceOp.RedOpType") -> Floats:
        if self._group is None:
            return reduce_in_training_group(values, how)
        shared, options = torch.from_numpy(values.copy()), AllreduceOptions()
        options.reduceOp = cast(Any, how)
        try:
            self._group.allreduce([shared], options).wait()
        except RuntimeError as error:
            # Which ends the waiting of others for this one.
            self._group = None
            self._lost = self._missed()
            raise self._lost from error
        reduced: Floats = shared.numpy()
        return reduced

    def _missed(self) -> LostPeerError:
        place = PrefixStore("lost", self._store)
        try:
            missing = roll_call(place, rank=self._rank, size=self._size, within=_ANSWER)
        except RuntimeError:
            return LostPeerError(
                "process 0, or the launcher that the processes meet at, has died: nobody looks any "
                "more."
            )
        return lost(missing, self._within)

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost


def lost(missing: list[int], within: float) -> LostPeerError:
    """The error that names the processes that are missing."""
    if not missing:
        return LostPeerError(
            f"one process came later than the others waited ({within:g} s): nobody looks any more."
        )
    named = ", ".join(f"process {rank}" for rank in missing)
    return LostPeerError(
        f"{named} died, or did not come within {within:g} s: nobody looks any more. Every process "
        f"has to watch, and agree_within= says how long they wait for each other."
    )


def gather(name: str, within: float) -> Peers | None:
    """The processes of this run, once all of them have come.

    Args:
        name: What tells two sessions apart.
        within: Seconds to wait for each other, now and in each look.

    Returns:
        None where there is one process alone.

    Raises:
        LostPeerError: Some have not come in time; says which.
    """
    if num_processes() == 1:
        return None
    try:
        return _gathered(name, within)
    except RuntimeError as error:
        # Whoever went on without a group of their own would meet the training's reductions.
        if isinstance(error, LostPeerError):
            raise
        raise LostPeerError(f"the processes cannot meet ({error}): nobody looks.") from error


def _gathered(name: str, within: float) -> Peers:
    rank, size = dist.get_rank(), dist.get_world_size()
    whole = _get_default_store()
    store = PrefixStore(f"collapse_guard/{name}/{_MEETINGS[name]}", whole)
    if missing := meet(store, rank=rank, size=size, within=within):
        raise lost(missing, within)
    _MEETINGS[name] += 1
    group = _own_group(store, rank=rank, size=size, within=within)
    return Peers(store, group, rank=rank, size=size, within=within)


def _own_group(store: Store, *, rank: int, size: int, within: float) -> ProcessGroup | None:
    """A group over the CPU with a time limit of its own; None where one of them cannot make it."""
    # By its class: `new_group` would count it among the training's, and the Trainer's setting of
    # their time limit does not hold on the CPU.
    group: Any = None
    try:
        place = PrefixStore("group", store)
        group = dist.ProcessGroupGloo(place, rank, size, timedelta(seconds=within))
    except (AttributeError, RuntimeError) as error:
        store.set("no group", f"process {rank}: {error}")
    # One that could not make it is here long before those that waited for it.
    made = PrefixStore("made", store)
    if missing := meet(made, rank=rank, size=size, within=2 * within):
        raise lost(missing, 2 * within)
    if store.check(["no group"]):
        if rank == 0:
            logger.warning(
                "the processes cannot make a group over the CPU (%s), so that looks use that of "
                "the training, and its time limit.",
                store.get("no group").decode(),
            )
        return None
    own: ProcessGroup | None = group
    return own
