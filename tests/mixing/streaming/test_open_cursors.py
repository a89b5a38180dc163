"""Each source is read in the way that it can be read."""

from functools import partial
from itertools import pairwise
from typing import Any

from collapse_guard.mixing.streaming.cursors import MapCursor, NoCursor
from collapse_guard.mixing.streaming.open_cursors import open_cursors
from collapse_guard.mixing.streaming.stream_cursor import StreamCursor
from tests.mixing.sharded import Shards, make_lanes
from tests.mixing.streams import HUMAN, Rows, make_stream

opened = partial(open_cursors, buffer=4, seed=0)


def test_a_cursor_for_each_kind_of_rows() -> None:
    plan = make_stream([(HUMAN, number) for number in range(40)], Rows(2, 9), max_repeats=2)._plan
    by_number, stream = opened(plan)
    assert isinstance(by_number, MapCursor)
    assert isinstance(stream, StreamCursor)
    assert [by_number.reach(99), stream.reach(99)] == [80, 18]


def test_lanes_have_orders_of_their_own() -> None:
    rows = [(HUMAN, number) for number in range(400)]
    plan = make_lanes(rows, shuffle_buffer=20)._plan
    orders: list[Any] = []
    for lane in range(8):
        human, _ = opened(plan, lane)
        orders.append([number % 50 for _, number in human.read(range(50))])
        assert sorted(orders[-1]) == list(range(50))
    assert all(first != second for first, second in pairwise(orders))


def test_a_lane_without_a_source_has_nothing_of_it() -> None:
    plan = make_lanes(Shards(HUMAN, 240, 3), batch_size=1, block_size=8, human_fraction=0.375)._plan
    kinds = [type(opened(plan, lane)[0]) for lane in range(8)]
    assert sorted(kind is NoCursor for kind in kinds) == [False] * 3 + [True] * 5
    nothing = NoCursor()
    assert (nothing.reach(3), nothing.read([]), nothing.state_dict()) == (0, [], {})
