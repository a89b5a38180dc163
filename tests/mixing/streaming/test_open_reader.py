"""A reader begins where it is told to, whole or in lanes."""

from typing import Any

import pytest

from collapse_guard.mixing.streaming.dealt_reader import Portions, StreamReader
from collapse_guard.mixing.streaming.lane_reader import LaneReader
from collapse_guard.mixing.streaming.open_reader import open_reader
from tests.mixing.sharded import make_lanes
from tests.mixing.streams import make_stream


def opened(stream: Any, portions: Portions, shown: int = 0) -> StreamReader | LaneReader:
    return open_reader(
        stream._plan,
        stream.sources,
        portions,
        shown,
        {},
        buffer=7,
        seed=0,
        unit=stream._plan.block_size,
        length=len(stream),
        marks=None,
    )


@pytest.mark.parametrize("shown", [0, 16])
def test_a_reader_of_the_whole_goes_on_after_what_was_shown(shown: int) -> None:
    stream = make_stream(length=64)
    reader = opened(stream, Portions(0, 4, 1, 0), shown)
    assert isinstance(reader, StreamReader)
    assert list(reader.rows()) == list(stream)[shown:]


@pytest.mark.parametrize("shown", [0, 16])
def test_readers_of_lanes_read_their_own_slots(shown: int) -> None:
    stream = make_lanes()
    size, rows = stream._plan.lanes.size, list(stream)  # type: ignore[union-attr]
    for number in range(2):
        reader = opened(stream, Portions(0, size, 2, number), shown)
        assert isinstance(reader, LaneReader)
        own = [row for slot, row in enumerate(rows) if slot // size % 2 == number]
        assert list(reader.rows()) == own[shown:]
