"""Some shards of a stream, read one after another as a stream of their own."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import islice
from typing import Any, Protocol, runtime_checkable

from collapse_guard.mixing.streaming.taking_up import can_be_taken_up
from collapse_guard.statistics.json_forms import Part


@runtime_checkable
class Sharded(Protocol):
    """A stream in parts that can each be read alone, as Hugging Face's `IterableDataset`s are."""

    @property
    def num_shards(self) -> int:
        """How many parts there are, e.g. files."""

    def shard(self, num_shards: int, index: int) -> Any:
        """One of so many equal parts: a stream that can be iterated over again and again."""


class ShardChain:
    """Some shards of a stream, one after another.

    Nothing is read of the others. A state says the shard and the row in it, so that no shard before
    it is read again, and of that shard no row where it can be taken up itself.

    Args:
        stream: In shards.
        shards: The numbers of those that are read, in this order.
    """

    def __init__(self, stream: Sharded, shards: Sequence[int]) -> None:
        self._rows = stream
        self._num_shards = stream.num_shards
        self._shards = tuple(shards)
        self._pass = 0
        self._start: tuple[int, int, Any] = (0, 0, None)
        self._reading: tuple[int, int, Any] | None = None

    def set_epoch(self, epoch: int) -> None:
        """Tell it to each shard that is opened from now on."""
        self._pass = epoch

    def __iter__(self) -> Iterator[Any]:
        first, row, state = self._start
        for number in range(first, len(self._shards)):
            shard = self._rows.shard(num_shards=self._num_shards, index=self._shards[number])
            if hasattr(shard, "set_epoch"):
                shard.set_epoch(self._pass)
            if state is not None:
                shard.load_state_dict(deepcopy(state))
            for read in shard if state is not None else islice(shard, row, None):
                row += 1
                self._reading = (number, row, shard)
                yield read
            row, state = 0, None

    def state_dict(self) -> dict[str, Any]:
        """Where the latest iteration stands; plain data."""
        if self._reading is None:
            number, row, state = self._start
        else:
            number, row, shard = self._reading
            state = shard.state_dict() if can_be_taken_up(shard) else None
        return {"shard": number, "row": row, "stream": deepcopy(state)}

    def check_state(self, state: Part) -> None:
        """Refuse what `state_dict` cannot have said.

        Raises:
            ArgumentError: Names the part that is wrong.
        """
        parts = state.keys("shard", "row", "stream")
        parts["shard"].whole(most=len(self._shards) - 1)
        parts["row"].whole()
        parts["stream"].plain()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the next iterations go on there."""
        self._start = (state["shard"], state["row"], state["stream"])
        self._reading = None
