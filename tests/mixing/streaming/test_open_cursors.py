"""Each source is read in the way that it can be read."""

from collapse_guard.mixing.streaming.build import plan_stream
from collapse_guard.mixing.streaming.cursors import MapCursor
from collapse_guard.mixing.streaming.open_cursors import open_cursors
from collapse_guard.mixing.streaming.stream_cursor import StreamCursor
from tests.mixing.streams import Rows


def test_rows_by_number_and_streams() -> None:
    plan = plan_stream(
        range(9),
        Rows(2, 9),
        human_fraction=0.5,
        block_size=2,
        length=None,
        max_repeats=2,
        generation_decay=1.0,
    )
    by_number, stream = open_cursors(plan, buffer=4, seed=0)
    assert isinstance(by_number, MapCursor)
    assert isinstance(stream, StreamCursor)
    assert [by_number.reach(99), stream.reach(99)] == [18, 18]
