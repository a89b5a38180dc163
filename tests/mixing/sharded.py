"""A stream in shards that counts the rows that each reader has decoded."""

from collections.abc import Iterator
from typing import Any

from collapse_guard.mixing.stream import MixStream
from tests.mixing.streams import HUMAN, SYNTHETIC, make_stream


class Shards:
    """Rows in `num_shards` shards, row n of all in shard n mod num_shards; or one of these."""

    def __init__(self, mark: int, count: int, num_shards: int = 8, *, read: Any = None) -> None:
        self.mark, self.count, self.num_shards = mark, count, num_shards
        self.read: list[int] = [] if read is None else read
        self.numbers = range(count)

    def shard(self, num_shards: int, index: int) -> "Shards":
        assert num_shards == self.num_shards
        part = Shards(self.mark, self.count, 1, read=self.read)
        part.numbers = self.numbers[index::num_shards]
        return part

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for number in self.numbers:
            self.read.append(number)
            yield self.mark, number


def make_lanes(human: Any = None, synthetic: Any = None, **settings: Any) -> MixStream:
    """A stream of 640 slots in eight lanes, of 160 human rows and 480 synthetic ones."""
    usual = {"human_fraction": 0.25, "block_size": 4, "lanes": 8, "length": 640, "max_repeats": 1}
    return make_stream(
        Shards(HUMAN, 160) if human is None else human,
        Shards(SYNTHETIC, 480) if synthetic is None else synthetic,
        **{**usual, **settings},
    )
