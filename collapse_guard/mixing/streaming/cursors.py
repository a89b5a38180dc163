"""Reads the rows of one source in the order of its draws, and says when there are no more."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.errors import bad_argument
from collapse_guard.mixing.order.permutation import derive_keys, permute
from collapse_guard.mixing.order.row_order import RowOrder
from collapse_guard.mixing.strata.strata import Strata
from collapse_guard.mixing.streaming.shard_chain import ShardChain
from collapse_guard.mixing.streaming.taking_up import can_be_taken_up
from collapse_guard.mixing.streaming.thinning import Qualities, shown_in_pass
from collapse_guard.rows.row_source import RowSource
from collapse_guard.statistics.json_forms import Part

# As many draws as `max_repeats=None` needs to stand for no limit.
_NO_LIMIT = 2**62

Check = Callable[[Sequence[Any], Sequence[int]], None]


class Cursor(Protocol):
    """Rows by draw. Draws are asked for in rising order, with gaps where others read the rest."""

    def reach(self, draws: int) -> int:
        """How many of the first `draws` draws there are rows for."""

    def read(self, draws: Sequence[int]) -> list[Any]:
        """The rows of some draws that `reach` has said are there."""

    def forget(self, draws: int) -> None:
        """The first `draws` draws are not asked for again."""

    def state_dict(self) -> dict[str, Any]:
        """What it takes to go on from the first draw that is not forgotten; plain data."""

    def check_state(self, state: Part, *, drawn: int, furthest: int | None) -> None:
        """Refuse what `state_dict` cannot have said.

        Args:
            state: What it shall go on from.
            drawn: How many draws were asked for.
            furthest: How many of these it may have kept, at most; None for any number.

        Raises:
            ArgumentError: Names the part that is wrong.
        """

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""


class MapCursor:
    """Rows that can be read by number: each pass shows all of them, in a seeded order of its own.

    Args:
        rows: The rows.
        max_repeats: Passes, or None for no end of them.
        key: The seed, and a number that tells this source from others of the same seed.
        check: Refuses rows, given with their numbers, that do not fit those of other sources.
    """

    def __init__(
        self,
        rows: RowSource,
        *,
        max_repeats: int | None,
        key: tuple[int, int],
        check: Check | None = None,
    ) -> None:
        self._rows = rows
        self._check = check
        self._stream = RowOrder(Strata.unranked(len(rows)), [len(rows)], key=key)
        self._supply = _NO_LIMIT if max_repeats is None else len(rows) * max_repeats

    def reach(self, draws: int) -> int:
        """As `Cursor.reach`."""
        return min(draws, self._supply)

    def read(self, draws: Sequence[int]) -> list[Any]:
        """As `Cursor.read`."""
        numbers, _ = self._stream.rows(np.array(draws, dtype=np.int64))
        rows = self._rows.read(numbers.tolist())
        if self._check is not None:
            self._check(rows, numbers.tolist())
        return rows

    def forget(self, draws: int) -> None:
        """Nothing is kept."""

    def state_dict(self) -> dict[str, Any]:
        """Empty: what a draw shows follows from its number."""
        return {}

    def check_state(self, state: Part, *, drawn: int, furthest: int | None) -> None:
        """As `Cursor.check_state`."""
        state.keys()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing is to be restored."""


class NoCursor:
    """The rows of a source of which a lane has none."""

    def reach(self, draws: int) -> int:
        """As `Cursor.reach`."""
        return 0

    def read(self, draws: Sequence[int]) -> list[Any]:
        """As `Cursor.read`: no draw is asked for."""
        return []

    def forget(self, draws: int) -> None:
        """Nothing is kept."""

    def state_dict(self) -> dict[str, Any]:
        """Empty."""
        return {}

    def check_state(self, state: Part, *, drawn: int, furthest: int | None) -> None:
        """As `Cursor.check_state`."""
        state.keys()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing is to be restored."""


@dataclass
class _Chunk:
    """Rows that were read together, in the order that they are shown in."""

    first_draw: int
    rows: list[Any]
    place: "_Place"

    @property
    def end(self) -> int:
        return self.first_draw + len(self.rows)


@dataclass(frozen=True)
class _Place:
    """Where a chunk begins in its stream."""

    pass_number: int
    row: int
    state: Any


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
    ) -> None:
        self._name = name
        self._check = check
        self._stream: Any = stream
        if isinstance(getattr(stream, "_epoch", None), torch.Tensor):
            # Hugging Face shares its epoch among processes: another worker's pass would be ours.
            self._stream = _twin(stream)
            self._stream._epoch = self._stream._epoch.clone()
        self._buffer = buffer
        self._passes = _NO_LIMIT if max_repeats is None else max_repeats
        self._key = np.random.SeedSequence(key).generate_state(1, np.uint64).astype(np.uint64)
        self._qualities = qualities
        # Rows read one after another that no pass would show.
        self._in_vain = 0
        self._has_state = can_be_taken_up(stream)
        self._reading: Any = None
        self._iterator: Iterator[Any] | None = None
        self._chunks: deque[_Chunk] = deque()
        self._next_draw = 0
        self._next_place = _Place(0, 0, None)
        self._supply: int | None = None

    def reach(self, draws: int) -> int:
        """As `Cursor.reach`. Reads on until it knows.

        Raises:
            ArgumentError: The stream has no row at all, or none that may be shown.
        """
        while self._next_draw < min(draws, _NO_LIMIT if self._supply is None else self._supply):
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
        draw, place = self._next_draw, self._next_place
        if self._chunks:
            draw, place = self._chunks[0].first_draw, self._chunks[0].place
        return {
            "draw": draw,
            "pass": place.pass_number,
            "row": place.row,
            "stream": place.state,
            "supply": self._supply,
        }

    def check_state(self, state: Part, *, drawn: int, furthest: int | None) -> None:
        """As `Cursor.check_state`."""
        parts = state.keys("draw", "pass", "row", "stream", "supply")
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
        self._next_place = _Place(state["pass"], state["row"], deepcopy(state["stream"]))
        self._supply = state["supply"]

    def _read_chunk(self) -> None:
        place = self._next_place
        with _as_one_reader():
            if self._iterator is None:
                self._iterator = self._begin(place)
            rows = list(islice(self._iterator, self._buffer))
        if self._check is not None:
            self._check(rows, range(place.row, place.row + len(rows)))
        if rows:
            shown = rows
            if self._qualities is not None:
                shown = self._thinned(self._qualities, rows, place)
            if shown:
                self._chunks.append(_Chunk(self._next_draw, self._shuffled(shown, place), place))
                self._next_draw += len(shown)
            state = deepcopy(self._reading.state_dict()) if self._has_state else None
            self._next_place = _Place(place.pass_number, place.row + len(rows), state)
        if len(rows) < self._buffer:
            self._end_pass(place.row + len(rows))

    def _begin(self, place: _Place) -> Iterator[Any]:
        if hasattr(self._stream, "set_epoch"):
            self._stream.set_epoch(place.pass_number)
        self._reading = self._stream
        if place.state is None:
            return islice(iter(self._stream), place.row, None)
        # The user's own must not begin in the middle from now on.
        self._reading = _twin(self._stream)
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
        if self._in_vain >= rows:
            raise bad_argument(
                "quality",
                expected=f"a number above 0 for some row of {self._name!r}",
                given=0.0,
                hint="give 1 for rows to show in every pass, or leave the source out",
            )
        self._iterator = None
        self._next_place = _Place(self._next_place.pass_number + 1, 0, None)
        if self._next_place.pass_number >= self._passes:
            self._supply = self._next_draw

    def _thinned(self, qualities: Qualities, rows: list[Any], place: _Place) -> list[Any]:
        """Those rows that this pass shows."""
        values = qualities(rows)
        self._in_vain = 0 if values.any() else self._in_vain + len(rows)
        shown = shown_in_pass(values, place.row, place.pass_number, self._key)
        return [rows[number] for number in np.flatnonzero(shown).tolist()]

    def _shuffled(self, rows: list[Any], place: _Place) -> list[Any]:
        sizes = np.full(len(rows), len(rows), dtype=np.int64)
        chunk = derive_keys(self._key, _one(place.pass_number), _one(place.row))
        order = permute(np.arange(len(rows)), sizes, np.repeat(chunk, len(rows)))
        return [rows[place] for place in order.tolist()]


@contextmanager
def _as_one_reader() -> Iterator[None]:
    """Hide the loader's workers from a stream that would share its rows out among them.

    Hugging Face's streams, and those written after torch's manual, give each worker a part of their
    rows. Here the slots are what is dealt out: every worker must see the same stream.
    """
    module = torch.utils.data._utils.worker
    hidden, module._worker_info = module._worker_info, None
    try:
        yield
    finally:
        module._worker_info = hidden


def _twin(stream: Any) -> Any:
    # Not `copy`, which Hugging Face's streams answer with one that shares all attributes.
    twin: Any = object.__new__(type(stream))
    vars(twin).update(vars(stream))
    return twin


def _one(number: int) -> npt.NDArray[np.int64]:
    return np.array([number], dtype=np.int64)
