import weakref
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice

import pytest
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing import Source
from collapse_guard.mixing.stream import MixStream
from collapse_guard.mixing.streaming.dealt_reader import Portions
from tests.mixing.naive import human_slots
from tests.mixing.streams import (
    HUMAN,
    SYNTHETIC,
    Rows,
    make_stream,
    read_by,
)


def test_little_is_read_ahead() -> None:
    human, synthetic = Rows(HUMAN, 10**9), Rows(SYNTHETIC, 10**9)
    stream = make_stream(human, synthetic, shuffle_buffer=100)
    list(islice(stream, 8))
    assert human.read + synthetic.read < 512 + 8 + 2 * 100 + 2


class Row:
    """A row that can be told to be held by nobody."""


class Untold:
    """A long stream that knows which of its rows are still held."""

    def __init__(self) -> None:
        self.held: weakref.WeakSet[Row] = weakref.WeakSet()

    def __iter__(self) -> Iterator[Row]:
        for _ in range(20_000):
            row = Row()
            self.held.add(row)
            yield row


def test_few_rows_are_held_at_any_time() -> None:
    human, synthetic = Untold(), Untold()
    stream = make_stream(human, synthetic, shuffle_buffer=100, human_fraction=0.5)
    most = 0
    for number, _ in enumerate(stream):
        if number % 100 == 0:
            most = max(most, len(human.held), len(synthetic.held))
    assert number > 30_000
    assert 100 <= most <= 512 + 2 * 100


class TestDrySources:
    def test_a_stream_without_a_length_ends_there(self) -> None:
        assert len(list(make_stream(Rows(HUMAN, 9), Rows(SYNTHETIC, 999)))) == 24

    def test_it_is_an_error_before_a_given_length_but_not_before_the_rows_are_shown(self) -> None:
        stream = make_stream(Rows(HUMAN, 10), Rows(SYNTHETIC, 999), length=400)
        rows = iter(stream)
        assert len(list(islice(rows, 24))) == 24
        with pytest.raises(ArgumentError, match=r"`length` expected at most 24 slots.*'human'"):
            next(rows)

    def test_a_source_with_a_length_is_refused_at_construction(self) -> None:
        with pytest.raises(ArgumentError, match=r"at most 10 rows of 'human'.*150 of which"):
            make_stream(list(range(10)), Rows(SYNTHETIC, 999), length=400)

    def test_stop_ends_it_early(self) -> None:
        human = Source(Rows(HUMAN, 10), "books", "human", when_dry="stop")
        rows = list(make_stream(human, Rows(SYNTHETIC, 999), length=400))
        assert len(rows) == 24
        assert sum(mark == HUMAN for mark, _ in rows) == 9

    def test_max_repeats_of_a_source_is_its_own(self) -> None:
        human = Source(Rows(HUMAN, 10), "books", "human", max_repeats=3)
        rows = list(make_stream(human, Rows(SYNTHETIC, 999)))
        assert len(rows) == 80
        assert Counter(n for mark, n in rows if mark == HUMAN) == dict.fromkeys(range(10), 3)

    @pytest.mark.usefixtures("few_slots_at_a_time")
    @pytest.mark.parametrize("readers", [(1, 1), (2, 1), (1, 2), (2, 2)])
    def test_human_rows_take_over_and_the_floor_holds(self, readers: tuple[int, int]) -> None:
        def make() -> MixStream:
            human = [
                Source(Rows(HUMAN, 200), "books", "human"),
                Source(Rows(3, 200), "letters", "human"),
            ]
            synthetic = [
                Source(Rows(SYNTHETIC, 21), "small", "synthetic", when_dry="human"),
                Source(Rows(4, 200), "large", "synthetic"),
            ]
            return make_stream(human, synthetic, length=240)

        rows = list(make())
        counts = Counter(mark for mark, _ in rows)
        assert counts[SYNTHETIC] == 21
        assert counts[4] == 75
        assert abs(counts[HUMAN] - counts[3]) <= 1
        assert len(set(rows)) == 240
        is_human = [mark in (HUMAN, 3) for mark, _ in rows]
        floor = list(islice(human_slots(Fraction(3, 10), 8), 240))
        assert all(ours or not least for ours, least in zip(is_human, floor, strict=True))
        assert read_by(make(), *readers, 4) == rows
        stopped = make()
        list(islice(stopped, 150))
        resumed = make()
        resumed.load_state_dict(stopped.state_dict())
        assert list(resumed) == rows[150:]

    @pytest.mark.parametrize("length", [None, 80])
    def test_an_empty_stream_is_an_error(self, length: int | None) -> None:
        with pytest.raises(ArgumentError, match="`human` expected at least one row"):
            list(make_stream(Rows(HUMAN, 0), length=length))

    def test_a_stream_of_less_than_a_block_is_an_error(self) -> None:
        with pytest.raises(ArgumentError, match="at most 0 slots"):
            list(make_stream(Rows(HUMAN, 2)))


@given(base=st.integers(0, 20), size=st.integers(1, 9), readers=st.integers(1, 5))
def test_portions_deal_out_every_slot_once_and_in_order(base: int, size: int, readers: int) -> None:
    parts = [Portions(base, size, readers, reader) for reader in range(readers)]
    stop = base + 7 * parts[0].deal
    slots = [part.slots(base, stop).tolist() for part in parts]
    dealt: list[int] = []
    for number in range(7):
        for of_reader in slots:
            dealt += of_reader[number * size : (number + 1) * size]
    assert dealt == list(range(base, stop))


def test_a_lone_reader_s_state_is_gone_on_from_by_any_number() -> None:
    state = {"base": 8, "shown": 6, "size": 4, "readers": 1, "reader": 0}
    lone, one_of_two = Portions(0, 4, 1, 0), Portions(0, 4, 2, 1)
    assert lone.resumed(state) == (replace(lone, base=8), 6)
    assert one_of_two.resumed(state) == (replace(one_of_two, base=14), 0)
    with pytest.raises(ArgumentError, match="`state` expected that of reader 0 of 1"):
        lone.resumed({**state, "readers": 2})
