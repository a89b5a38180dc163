import json
from collections import Counter
from fractions import Fraction
from itertools import islice

import pytest
from hypothesis import given, strategies as st

from collapse_guard.mixing import Source
from tests.mixing.streams import (
    FLOORS,
    HUMAN,
    SYNTHETIC,
    Rows,
    make_stream,
)


@given(slots=st.integers(0, 96), floor=FLOORS)
def test_the_report_agrees_with_counting(slots: int, floor: Fraction) -> None:
    synthetic = [
        Source(Rows(2, 900), "old", "synthetic", 1),
        Source(Rows(4, 900), "new", "synthetic", 2, licence="cc0"),
    ]
    stream = make_stream(Rows(1, 900), synthetic, human_fraction=floor)
    report = stream.report(slots)
    counts = Counter(mark for mark, _ in islice(stream, slots))
    assert [source.shown for source in report.sources] == [counts[mark] for mark in (1, 2, 4)]
    assert [source.generation for source in report.sources] == [0, 1, 2]
    assert report.human_share == pytest.approx(counts[1] / max(slots, 1))
    assert report.is_exact
    assert json.loads(json.dumps(report.to_dict()))["sources"][2]["licence"] == "cc0"
    assert str(report).splitlines()[1] == f"human: {counts[1]} shown"


def test_what_it_shows_is_reported_where_the_rows_are_counted() -> None:
    few = Source([(SYNTHETIC, n) for n in range(10)], "few", "synthetic", when_dry="human")
    stream = make_stream(Rows(HUMAN, 400), few, length=80, max_repeats=1)
    kinds = Counter(kind for kind, _ in stream)
    report = stream.report(80)
    assert {each.name: each.shown for each in report.sources} == {
        "human": kinds[HUMAN],
        "few": kinds[SYNTHETIC],
    }
    assert report.is_exact


@pytest.mark.parametrize("slots", [0, 8, 24, 40, 80, 120, 160])
def test_passes_are_those_that_the_rows_were_shown_in(slots: int) -> None:
    few = Source([(SYNTHETIC, n) for n in range(17)], "few", "synthetic", max_repeats=9)
    stream = make_stream(Rows(HUMAN, 400), few, human_fraction=0.5)
    times = Counter(n for kind, n in islice(stream, slots) if kind == SYNTHETIC)
    human, told = stream.report(slots).sources
    assert told.rows == 17
    assert told.passes == max(times.values(), default=0)
    assert told.unique == len(times)
    assert told.repeated == sum(count > 1 for count in times.values())
    assert (human.rows, human.passes, human.unique, human.repeated) == (None,) * 4
