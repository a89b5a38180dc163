"""Rows that are read by number, draw by draw."""

from collapse_guard.mixing.streaming.cursors import NO_LIMIT, MapCursor
from collapse_guard.rows.row_source import RowSource


def test_each_pass_shows_all_rows_in_an_order_of_its_own() -> None:
    cursor = MapCursor(RowSource("web", range(9)), max_repeats=3, key=(0, 1))
    passes = [cursor.read(range(start, start + 9)) for start in (0, 9, 18)]
    assert all(sorted(rows) == list(range(9)) for rows in passes)
    assert passes[0] != passes[1]
    assert cursor.reach(100) == 27


def test_without_a_limit_there_is_no_end() -> None:
    cursor = MapCursor(RowSource("web", range(9)), max_repeats=None, key=(0, 1))
    assert cursor.reach(2**40) == 2**40 < NO_LIMIT
