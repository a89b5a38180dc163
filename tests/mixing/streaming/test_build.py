from typing import Any

import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing import Source
from tests.mixing.streams import HUMAN, SYNTHETIC, Rows, make_sources, make_stream


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"length": 0}, "`length` expected a whole number"),
        ({"block_size": 0}, "`block_size` expected a whole number"),
        ({"shuffle_buffer": 0}, "`shuffle_buffer` expected a whole number"),
        ({"batch_size": 0}, "`batch_size` expected a whole number"),
        ({"max_repeats": 0}, "`max_repeats` expected a whole number"),
        ({"seed": -1}, "`seed` expected a whole number"),
        ({"generation_decay": 0}, "`generation_decay` expected a number above 0"),
        ({"human_fraction": 1.5}, "`human_fraction` expected a number from 0 to 1"),
        ({"human_fraction": "golden"}, "`human_fraction` expected a share"),
        ({"human_fraction": "silver"}, "`human_fraction` expected"),
        ({"human_fraction": [(0.5, 1), (1, 0.3)]}, "`length` expected a number of slots"),
        ({"human": iter(())}, "`human` expected rows.*it is used up once it was read"),
        ({"human": 3}, "`human` expected rows that can be read by number"),
        ({"human": Source(Rows(1, 9), "synthetic", "human")}, "expected a name of its own"),
        (
            {"human": Source(Rows(1, 9), "a", "human", when_dry="human")},
            "`when_dry` expected 'error' or 'stop'",
        ),
        ({"human": Source(Rows(1, 9), "a", "human", quality=[1.0])}, "`quality` expected None"),
        ({"human": Source([1, 2], "a", "human", quality=len)}, "`quality` expected None"),
    ],
)
def test_arguments_that_cannot_work(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make_stream(**settings)


def test_columns_that_differ() -> None:
    human, _ = make_sources("datasets")
    with pytest.raises(ArgumentError, match=r"human rows have \['number'\], .* have \['text'\]"):
        make_stream(human, [{"mark": 1, "text": "a"}])


def test_limits_that_it_would_break_are_refused() -> None:
    floor = Source(Rows(SYNTHETIC, 9), "few", "synthetic", min_fraction=0.1, when_dry="human")
    with pytest.raises(ArgumentError, match="`when_dry`"):
        make_stream(None, floor)
    capped = Source(Rows(HUMAN, 9), "wiki", "human", max_fraction=0.5)
    dry = Source(Rows(SYNTHETIC, 9), "few", "synthetic", when_dry="human")
    with pytest.raises(ArgumentError, match="`max_fraction`"):
        make_stream([capped, Source(Rows(HUMAN, 9), "news", "human")], dry)
