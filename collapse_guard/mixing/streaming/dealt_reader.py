"""One reader of a mixed stream: a process, or one worker of its loader."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import get_worker_info

from collapse_guard.errors import ArgumentError, bad_argument
from collapse_guard.mixing.streaming.cursors import Cursor
from collapse_guard.mixing.streaming.dealt_slots import DealtSlots
from collapse_guard.rows.marks import Marks
from collapse_guard.rows.source import Source

# One array operation costs the same for a few slots as for some hundreds.
SLOTS_AT_A_TIME = 512


@dataclass(frozen=True)
class Portions:
    """The slots that one of several readers reads.

    The slots from `base` on are dealt out in portions of `size`, to one reader after another.

    Attributes:
        base: First slot of the first portion.
        size: Slots of a portion.
        readers: How many readers there are.
        reader: Number of this one.
    """

    base: int
    size: int
    readers: int
    reader: int

    @classmethod
    def of_this_worker(cls, shard: tuple[int, int] | None, size: int) -> "Portions":
        """Those of who asks, from the first slot on.

        Args:
            shard: Number of processes that read for themselves, and of this one; None for one.
            size: Slots of a portion.
        """
        worker = get_worker_info()
        workers, number = (1, 0) if worker is None else (worker.num_workers, worker.id)
        shards, index = shard or (1, 0)
        return cls(0, size, shards * workers, number * shards + index)

    @property
    def deal(self) -> int:
        """Slots in which each reader has one portion."""
        return self.readers * self.size

    def slots(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """Its slots from `start` to before `stop`."""
        slots = np.arange(start, stop)
        mine: npt.NDArray[np.int64] = slots[
            (slots - self.base) // self.size % self.readers == self.reader
        ]
        return mine

    def state_dict(self) -> dict[str, int]:
        """What `resumed` looks for; plain data."""
        return asdict(self)

    def resumed(self, state: Mapping[str, Any]) -> tuple["Portions", int]:
        """The portions of this reader of a run that is gone on with.

        Args:
            state: As from `StreamReader.state_dict`, or only the slot to go on from as `base`.

        Returns:
            The portions, and how many of their slots were shown before.

        Raises:
            ArgumentError: The state is that of another reader, one of several.
        """
        base, shown = state["base"], state.get("shown", 0)
        mine = replace(self, base=base)
        if not shown:
            return mine, 0
        taken = Portions(base, state["size"], state["readers"], state["reader"])
        if taken.readers == mine.readers == 1 or taken == mine:
            return taken, shown
        if taken.readers == 1:
            return replace(mine, base=base + shown), 0
        raise bad_argument(
            "state",
            expected=f"that of reader {mine.reader} of {mine.readers}, in portions of "
            f"{mine.size} slots",
            given=f"that of reader {taken.reader} of {taken.readers}, in portions of {taken.size}",
            hint="resume with as many processes and workers, or with resume_at(slots)",
        )


class StreamReader:
    """Reads the rows of one reader's slots, ahead of the slots by a block and a chunk.

    Args:
        sources: As described by the user.
        cursors: The rows of each of them.
        slots: Who gets which slots.
        portions: Which slots this reader reads.
        unit: The stream ends after a whole number of so many slots.
        length: Slots of the stream, a whole number of units; None for up to the first dry source.
        shown: Own slots that were read before.
        marks: Marks the labels of rows; None to leave rows as they are.
        lanes: Of how many lanes of a stream, all as long, it reads one.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        cursors: Sequence[Cursor],
        slots: DealtSlots,
        portions: Portions,
        *,
        unit: int,
        length: int | None,
        shown: int,
        marks: Marks | None = None,
        lanes: int = 1,
    ) -> None:
        self.portions = portions
        self.shown = shown
        self._sources = sources
        self._cursors = cursors
        self._slots = slots
        self._unit = unit
        self._length = length
        self._marks = marks
        self._lanes = lanes

    def rows(self) -> Iterator[Any]:
        """The rows, one after another.

        Raises:
            ArgumentError: A source has run dry that must not.
        """
        portions = self.portions
        number, skipped = divmod(self.shown, portions.size)
        start = portions.base + number * portions.deal
        stride = max(1, SLOTS_AT_A_TIME // portions.deal) * portions.deal
        while True:
            stop = start + stride
            end, error = self._end(stop)
            for cursor, draws in zip(self._cursors, self._slots.shown_before(start), strict=True):
                cursor.forget(int(draws))
            for row in self._read(start, stop if end is None else min(stop, end))[skipped:]:
                self.shown += 1
                yield row
            if end is not None and end <= stop:
                break
            start, skipped = stop, 0
        if error is not None:
            raise error

    def state_dict(self) -> dict[str, Any]:
        """Where it stands; plain data, of a size that does not grow."""
        return {
            **self.portions.state_dict(),
            "shown": self.shown,
            "sources": [cursor.state_dict() for cursor in self._cursors],
        }

    def _read(self, start: int, stop: int) -> list[Any]:
        slots = self.portions.slots(start, stop) if start < stop else np.empty(0, dtype=np.int64)
        rows: list[Any] = [None] * len(slots)
        if not rows:
            return rows
        sources, draws = (column[slots - start] for column in self._slots.assign(start, stop))
        for number, cursor in enumerate(self._cursors):
            places = np.flatnonzero(sources == number)
            if places.size:
                read = cursor.read(draws[places].tolist())
                for place, row in zip(places.tolist(), read, strict=True):
                    rows[place] = row
        return rows if self._marks is None else self._marks.mark(rows, sources)

    def _end(self, stop: int) -> tuple[int | None, ArgumentError | None]:
        """Where the stream ends, if that is in sight from `stop`, and whether it may end there."""
        horizon = -(-stop // self._unit) * self._unit
        if self._length is not None:
            horizon = min(horizon, self._length)
        dry = self._dry_before(horizon)
        if not dry:
            return self._length if horizon == self._length else None, None
        end = self._last_whole_unit(dry, horizon)
        shown = self._slots.shown_before(end + self._unit)
        name, when_dry = next(
            (source.name, source.when_dry)
            for number, source in enumerate(self._sources)
            if number in dry and shown[number] > dry[number]
        )
        if end and (self._length is None or when_dry == "stop"):
            return end, None
        where, instead = "", "when_dry='stop'"
        if self._lanes > 1:
            where, instead = " in one of the lanes", "a block_size that divides batch_size"
        return end, bad_argument(
            "length",
            expected=f"at most {end * self._lanes} slots, because then the rows of {name!r}{where} "
            "are used up",
            given=None if self._length is None else self._length * self._lanes,
            hint=f"give {name!r} more rows, a larger max_repeats or {instead}",
        )

    def _dry_before(self, horizon: int) -> dict[int, int]:
        """Sources that do not suffice up to a slot, with what they hold."""
        while True:
            wanted = self._slots.shown_before(horizon).tolist()
            reached = [c.reach(n) for c, n in zip(self._cursors, wanted, strict=True)]
            dry = {s: n for s, n in enumerate(reached) if n < wanted[s]}
            handed_over = [s for s in dry if self._sources[s].when_dry == "human"]
            if not handed_over:
                return dry
            for source in handed_over:
                self._slots.hand_over(source, dry[source])

    def _last_whole_unit(self, dry: dict[int, int], horizon: int) -> int:
        low, high = 0, horizon // self._unit
        while low + 1 < high:
            middle = (low + high) // 2
            shown = self._slots.shown_before(middle * self._unit)
            fits = all(shown[source] <= supply for source, supply in dry.items())
            low, high = (middle, high) if fits else (low, middle)
        return low * self._unit
