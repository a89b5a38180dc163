"""Rows of a stream are shown as often as their quality says, pass by pass, and in no other way."""

import json
import math
from collections import Counter
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing import MixGuard, MixStream, Source
from collapse_guard.mixing.streaming.thinning import qualities_of, shown_in_pass
from tests.mixing.sharded import Shards, make_lanes
from tests.mixing.streams import HUMAN, SYNTHETIC, Rows, make_sources, make_stream, read_by

QUALITIES = (0.0, 0.25, 0.4, 1.0)


def quality(row: tuple[int, int]) -> float:
    # Not in step with shards, of which one would have nothing to show.
    return QUALITIES[row[1] // 8 % 4]


def human(rows: Any, of: Any = quality, **settings: Any) -> Source:
    return Source(rows, "wiki", "human", quality=of, **settings)


@given(
    values=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20),
    first=st.integers(0, 2**40),
    seed=st.integers(0, 2**64 - 1),
)
def test_each_row_is_shown_in_its_share_of_the_passes(
    values: list[float], first: int, seed: int
) -> None:
    key, qualities = np.array([seed], dtype=np.uint64), np.array(values)
    times = np.zeros(len(values), dtype=np.int64)
    for number in range(12):
        shown = shown_in_pass(qualities, first, number, key)
        # In whatever stretches it is read.
        assert shown[-1] == shown_in_pass(qualities[-1:], first + len(values) - 1, number, key)[0]
        times += shown
        share = (number + 1) * qualities
        assert (np.floor(share - 1e-9) <= times).all()
        assert (times <= np.ceil(share + 1e-9)).all()


def test_one_pass_shows_rows_by_chance_and_in_proportion() -> None:
    key = np.array([3], dtype=np.uint64)
    for share in (0.1, 0.5, 0.9):
        shown = shown_in_pass(np.full(40_000, share), 0, 0, key)
        # Within five standard deviations, and neighbours know nothing of each other.
        spread = math.sqrt(share * (1 - share) / 40_000)
        assert abs(shown.mean() - share) < 5 * spread
        assert abs(np.corrcoef(shown[1:], shown[:-1])[0, 1]) < 5 / math.sqrt(40_000)


def test_a_stream_shows_good_rows_more_often() -> None:
    stream = make_stream(human(Rows(HUMAN, 400)), Rows(SYNTHETIC, 9000), max_repeats=20)
    times = Counter(number for mark, number in stream if mark == HUMAN)
    assert all(times[number] == 20 * QUALITIES[number // 8 % 4] for number in range(370))


def test_a_column_says_it_too() -> None:
    rows = [{"mark": 1, "number": number, "score": quality((1, number))} for number in range(80)]
    datasets = pytest.importorskip("datasets")
    stream = datasets.Dataset.from_list(rows).to_iterable_dataset()
    synthetic = [{"mark": 2, "number": 0, "score": 0.0}] * 900
    mixed = make_stream(human(stream, "score"), synthetic, max_repeats=20)
    times = Counter(row["number"] for row in mixed if row["mark"] == 1)
    assert all(times[number] == 20 * QUALITIES[number // 8 % 4] for number in range(50))


@pytest.mark.usefixtures("few_slots_at_a_time")
@pytest.mark.parametrize("lanes", [1, 4])
def test_any_readers_and_resumes_find_the_same(lanes: int) -> None:
    def make() -> MixStream:
        settings: dict[str, Any] = {"length": 320, "max_repeats": None, "lanes": lanes}
        return make_lanes(human(Shards(HUMAN, 120)), Shards(SYNTHETIC, 480), **settings)

    whole = list(make())
    assert {number // 8 % 4 for mark, number in whole if mark == HUMAN} == {1, 2, 3}
    assert read_by(make(), 2, 2, 4) == whole
    reading = make()
    states = [reading.state_dict()]
    states += [json.loads(json.dumps(reading.state_dict())) for _ in reading]
    for shown in range(0, 320, 13):
        resumed = make()
        resumed.load_state_dict(states[shown])
        assert list(resumed) == whole[shown:]


def test_the_floor_stays() -> None:
    stream = make_stream(human(Rows(HUMAN, 400)), Rows(SYNTHETIC, 400))
    marks = [mark == HUMAN for mark, _ in stream]
    assert [sum(marks[start : start + 8]) for start in range(0, len(marks), 8)] == [3] * (
        len(marks) // 8
    )


@pytest.mark.parametrize("wrong", [1.5, -0.1, float("nan"), "good", None])
def test_what_is_no_share_is_refused_at_its_row(wrong: Any) -> None:
    stream = make_stream(human(Rows(HUMAN, 90), lambda row: wrong if row[1] == 30 else 1.0))
    with pytest.raises(ArgumentError, match=r"`quality` expected a number from 0 to 1 .* 'wiki'"):
        list(stream)


def test_a_column_that_is_missing() -> None:
    stream, synthetic = make_sources("datasets")
    with pytest.raises(ArgumentError, match="`quality` expected a number from 0 to 1"):
        list(islice(make_stream(human(stream, "score"), synthetic), 1))


def test_a_source_without_a_row_to_show_is_refused_and_not_read_for_ever() -> None:
    stream = make_stream(human(Rows(HUMAN, 90), lambda row: 0.0), max_repeats=None)
    with pytest.raises(ArgumentError, match="`quality` expected a number above 0 for some row"):
        list(islice(stream, 1))


def test_sources_without_quality_are_shown_whole() -> None:
    assert qualities_of(Source(Rows(HUMAN, 9), "wiki", "human")) is None


def test_rows_by_number_take_numbers_only() -> None:
    with pytest.raises(ArgumentError, match="`quality` expected one number of at least 0"):
        MixGuard(human([{"n": 1}] * 8), [{"n": 1}] * 8, human_fraction=0.5, block_size=4)
