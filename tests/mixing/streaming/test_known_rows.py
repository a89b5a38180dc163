from typing import Any

import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing import MixStream, Source
from collapse_guard.mixing.floor import golden_fraction
from collapse_guard.mixing.sources import golden_stages
from collapse_guard.mixing.streaming.known_rows import known_rows
from tests.mixing.streams import HUMAN, SYNTHETIC, Rows, make_stream


class Sized(Rows):
    """A stream that knows how long it is."""

    def __len__(self) -> int:
        return self.count


def sources(human: Any, **given: Any) -> list[Source]:
    return [Source(human, "wiki", "human", **given), Source(Sized(2, 90), "model", "synthetic")]


def floor_of(given: list[Source]) -> Any:
    return golden_stages(given, [known_rows(source) for source in given])


@pytest.mark.parametrize(
    ("human", "given"),
    [(Rows(HUMAN, 10), {"num_rows": 40}), (Sized(HUMAN, 40), {}), ([(HUMAN, 1)] * 40, {})],
)
def test_rows_are_counted_as_told(human: Any, given: dict[str, Any]) -> None:
    assert floor_of(sources(human, **given)) == ((1, golden_fraction(40, 90)),)


def test_several_sources_of_a_kind_count_together() -> None:
    given = [*sources(Sized(HUMAN, 40)), Source(Sized(4, 60), "books", "human")]
    assert floor_of(given) == ((1, golden_fraction(100, 90)),)


def test_a_stream_holds_that_floor() -> None:
    human, synthetic = sources(Rows(HUMAN, 900), num_rows=90)
    stream = make_stream(human, synthetic, human_fraction="golden", block_size=100, length=100)
    shown = [mark == HUMAN for mark, _ in stream]
    # 61.8 of a hundred, rounded up.
    assert shown.count(True) == 62


def test_what_does_not_say_is_refused_by_name() -> None:
    with pytest.raises(ArgumentError, match=r"'human' does not say .* num_rows=\.\.\."):
        make_stream(Rows(HUMAN, 9), Sized(SYNTHETIC, 9), human_fraction="golden")
    with pytest.raises(ArgumentError, match="`human` expected a whole number"):
        make_stream(Sized(HUMAN, 0), Sized(SYNTHETIC, 9), human_fraction="golden")
    with pytest.raises(ArgumentError, match="`num_rows` expected a whole number"):
        Source(Rows(HUMAN, 9), "wiki", "human", num_rows=0)


def test_other_words_are_no_floor() -> None:
    with pytest.raises(ArgumentError, match="`human_fraction`"):
        MixStream(Rows(1, 9), Rows(2, 9), human_fraction="silver", block_size=4)
