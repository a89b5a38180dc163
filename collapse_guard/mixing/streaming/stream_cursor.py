"""Reads the rows of a stream in the order of its draws, and goes on where it was left."""

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch.utils.data import get_worker_info

from collapse_guard.distributed import launched_rank
from collapse_guard.errors import bad_argument
from collapse_guard.mixing.loaders.first_rows import Differs
from collapse_guard.mixing.streaming.cursors import NO_LIMIT, Check
from collapse_guard.mixing.streaming.shard_chain import ShardChain
from collapse_guard.mixing.streaming.stream_chunks import Chunk, Place, shuffled
from collapse_guard.mixing.streaming.taking_up import can_be_taken_up
from collapse_guard.mixing.streaming.thinning import Qualities, Thinning
from collapse_guard.mixing.streaming.whole_streams import as_one_reader, twin_of
from collapse_guard.rows.row_digest import row_digest
from collapse_guard.statistics.json_forms import Part

logger = logging.getLogger("collapse_guard")


class StreamCursor:
    """Rows of a stream, shuffled within chunks of neighbours.

    The stream is read in chunks of `buffer` rows, and each chunk is shown in a seeded order of its
    own. So a row's draw follows from its place in the stream and the seed, in every process alike,
    and to go on in the middle it is enough to know where the chunk began: no row is kept in a
    state. A row moves by less than `buffer` places.

    Args:
        name: Of the source, for errors.
        stream: Can be iterated over again and again, and gives the same rows each time. Where it
            has `set_epoch`, this is called with the number of the pass, from 0; where it has
            `state_dict` and `load_state_dict`, as Hugging Face's `IterableDataset` has, they are
            used to go on in the middle, else rows are read and dropped.
        buffer: Rows of a chunk, at least 1.
        max_repeats: Passes, or None for no end of them.
        key: The seed, and a number that tells this source from others of the same seed.
        qualities: Tells how often each row is to be shown; None where all are, in each pass.
        check: Refuses rows, given with their numbers, that do not fit those of other sources.
        differs: Whether another reader saw another row at the place where this one begins; None
            where there is nobody to ask.
    """

    def __init__(
        self,
        name: str,
        stream: Iterable[Any],
        *,
        buffer: int,
        max_repeats: int | None,
        key: tuple[int, int],
        qualities: Qualities | None = None,
        check: Check | None = None,
        differs: Differs | None = None,
    ) -> None:
        self._name = name
        self._check, self._differs = check, differs
        self._stream: Any = stream
        if isinstance(getattr(stream, "_epoch", None), torch.Tensor):
            # Hugging Face shares its epoch among processes: another worker's pass would be ours.
            self._stream = twin_of(stream)
            self._stream._epoch = self._stream._epoch.clone()
        self._buffer = buffer
        self._passes = NO_LIMIT if max_repeats is None else max_repeats
        self._key = np.random.SeedSequence(key).generate_state(1, np.uint64).astype(np.uint64)
        self._thinning = None if qualities is None else Thinning(qualities, self._key)
        self._has_state = can_be_taken_up(stream)
        self._reading: Any = None
        self._iterator: Iterator[Any] | None = None
        self._chunks: deque[Chunk] = deque()
        self._next_draw = 0
        self._next_place = Place(0, 0, None)
        self._supply: int | None = None
        self._expected: str | None = None
        self._rows_of_pass: int | None = None

    def reach(self, draws: int) -> int:
        """As `Cursor.reach`. Reads on until it knows.

        Raises:
            ArgumentError: The stream has no row at all, or none that may be shown.
        """
        while self._next_draw < min(draws, NO_LIMIT if self._supply is None else self._supply):
            self._read_chunk()
        return min(draws, self._next_draw)

    def read(self, draws: Sequence[int]) -> list[Any]:
        """As `Cursor.read`."""
        rows, chunks = [], iter(self._chunks)
        chunk = next(chunks)
        for draw in draws:
            while draw >= chunk.end:
                chunk = next(chunks)
            rows.append(chunk.rows[draw - chunk.first_draw])
        return rows

    def forget(self, draws: int) -> None:
        """As `Cursor.forget`: drops chunks that lie before these draws as a whole."""
        while self._chunks and self._chunks[0].end <= draws:
            self._chunks.popleft()

    def state_dict(self) -> dict[str, Any]:
        """Where the oldest chunk began, and the end of the source if that is known."""
        draw, place, first = self._next_draw, self._next_place, self._expected
        if self._chunks:
            oldest = self._chunks[0]
            draw, place, first = oldest.first_draw, oldest.place, oldest.digest
        return {
            "draw": draw,
            "first": first,
            "pass": place.pass_number,
            "row": place.row,
            "stream": place.state,
            "supply": self._supply,
        }

    def check_state(self, state: Part, *, drawn: int, furthest: int | None) -> None:
        """As `Cursor.check_state`."""
        parts = state.keys("draw", "first", "pass", "row", "stream", "supply")
        if parts["first"].value is not None:
            parts["first"].text()
        draw = parts["draw"].whole(most=drawn)
        parts["pass"].whole()
        parts["row"].whole()
        inner = parts["stream"].plain()
        parts["stream"].check(inner is None or self._has_state, "None, as the stream has no state")
        if inner is not None and isinstance(self._stream, ShardChain):
            self._stream.check_state(parts["stream"])
        if parts["supply"].value is not None:
            parts["supply"].whole(least=draw)
        elif furthest is not None:
            # From the very first one all may be read again.
            near = draw == 0 or drawn - draw <= furthest
            parts["draw"].check(near, f"0, or a whole number from {drawn - furthest} to {drawn}")

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As `Cursor.load_state_dict`."""
        self._chunks.clear()
        self._iterator = None
        self._next_draw = state["draw"]
        self._next_place = Place(state["pass"], state["row"], deepcopy(state["stream"]))
        self._supply, self._expected = state["supply"], state["first"]

    def _read_chunk(self) -> None:
        place = self._next_place
        if self._iterator is None:
            self._tell_pass(place)
        with as_one_reader():
            if self._iterator is None:
                self._iterator = self._begin(place)
            rows = list(islice(self._iterator, self._buffer))
            if self._expected is not None:
                rows = self._recognised(rows, place)
        if rows and self._differs is not None:
            self._compare(rows, place, self._differs)
        if self._check is not None:
            self._check(rows, range(place.row, place.row + len(rows)))
        if rows:
            shown = rows if self._thinning is None else self._thinning.shown(rows, place)
            if shown:
                chunk = shuffled(shown, place, self._key)
                self._chunks.append(Chunk(self._next_draw, chunk, place, row_digest(rows[0])))
                self._next_draw += len(shown)
            state = deepcopy(self._reading.state_dict()) if self._has_state else None
            self._next_place = Place(place.pass_number, place.row + len(rows), state)
        if len(rows) < self._buffer:
            self._end_pass(place.row + len(rows))

    def _recognised(self, rows: list[Any], place: Place) -> list[Any]:
        """The rows that a state was taken before, as the first of them shows.

        A stream's own state may lead to the beginning of what it reads at once, such as a batch.

        Raises:
            ArgumentError: They are not in the stream any more.
        """
        expected, self._expected = self._expected, None
        if rows and row_digest(rows[0]) == expected:
            return rows
        if place.state is not None:
            self._has_state = False
            self._iterator = self._begin(replace(place, state=None))
            again = list(islice(self._iterator, self._buffer))
            if again and row_digest(again[0]) == expected:
                logger.warning(
                    "source %r does not go on at the row that its own state was taken at: its rows "
                    "are read again from the first.",
                    self._name,
                )
                return again
            rows = again
        if self._are_fixed(rows, place):
            raise bad_argument(
                "state",
                expected=f"that of a run whose source {self._name!r} gave the same rows",
                given="that of one which gave others",
                hint="give the rows of the run that is resumed, in their order",
            )
        logger.warning(
            "source %r gives other rows each time that it is read: whether it goes on at the row "
            "that it stopped at cannot be known.",
            self._name,
        )
        return rows

    def _begin(self, place: Place) -> Iterator[Any]:
        if hasattr(self._stream, "set_epoch"):
            self._stream.set_epoch(place.pass_number)
        self._reading = self._stream
        if place.state is None:
            return islice(iter(self._stream), place.row, None)
        # The user's own must not begin in the middle from now on.
        self._reading = twin_of(self._stream)
        self._reading.load_state_dict(place.state)
        return iter(self._reading)

    def _end_pass(self, rows: int) -> None:
        if not rows:
            raise bad_argument(
                self._name,
                expected="at least one row",
                given="a stream without rows",
                hint=f"give {self._name} rows, or a human_fraction that leaves them out",
            )
        if self._thinning is not None:
            self._thinning.check_pass(self._name, rows)
        self._iterator, self._rows_of_pass = None, rows
        self._next_place = Place(self._next_place.pass_number + 1, 0, None)
        if self._next_place.pass_number >= self._passes:
            self._supply = self._next_draw

    def _compare(self, rows: list[Any], place: Place, differs: Differs) -> None:
        """Refuse a source that gives another reader other rows.

        Raises:
            ArgumentError: It does.
        """
        self._differs = None
        if differs(place.pass_number, place.row, row_digest(rows[0])) and self._are_fixed(
            rows, place
        ):
            raise bad_argument(
                self._name,
                expected="the same rows in the same order in each process and worker",
                given="others in another one",
                hint="give each of them all rows, unsplit, and shuffled with the same seed if at "
                "all: the mix deals them out itself",
            )

    def _are_fixed(self, rows: list[Any], place: Place) -> bool:
        """Whether rows are the same when they are read again, and not changed by chance."""
        from_the_start = replace(place, state=None)
        with as_one_reader():
            again = next(self._begin(from_the_start), None)
            self._iterator = islice(self._begin(from_the_start), len(rows), None)
        self._has_state = False
        return not rows or row_digest(rows[0]) == row_digest(again)

    def _tell_pass(self, place: Place) -> None:
        """Say that the stream is gone through once more, on one of all that read it."""
        if not place.pass_number or place.row or not _is_first_reader():
            return
        gave = "" if self._rows_of_pass is None else f" gave {self._rows_of_pass} rows and"
        most = "" if self._passes == NO_LIMIT else f" of at most {self._passes}"
        # The first time may come as a surprise.
        level = logging.WARNING if place.pass_number == 1 else logging.INFO
        told = place.pass_number + 1
        logger.log(level, "source %r%s begins again: pass %d%s.", self._name, gave, told, most)


def _is_first_reader() -> bool:
    worker = get_worker_info()
    return not launched_rank() and (worker is None or not worker.id)
