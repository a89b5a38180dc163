from typing import Any

import pytest

from collapse_guard import MixGuard, Source
from collapse_guard.errors import ArgumentError
from tests.mixing.conftest import make_rows

ROWS = make_rows(1, 40)


def guard(human: Any = ROWS, synthetic: Any = ROWS, **settings: Any) -> MixGuard:
    arguments: dict[str, Any] = {"human_fraction": 0.3, "block_size": 8, "unit": "tokens"}
    return MixGuard(human, synthetic, **(arguments | settings))


@pytest.mark.parametrize("unit", ["words", None, 3, ["tokens"]])
def test_units_are_rows_or_tokens(unit: Any) -> None:
    with pytest.raises(ArgumentError, match="`unit` expected"):
        guard(unit=unit)


def test_lengths_need_a_floor_that_counts_them() -> None:
    with pytest.raises(ArgumentError, match='`lengths` expected None where unit="rows"'):
        guard(unit="rows", lengths="n")


def test_floors_that_change_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"`human_fraction` expected one share.*\(0.5, 1.0\)"):
        guard(human_fraction=[(0.5, 1.0), (1.0, 0.3)])
    assert len(guard(human_fraction=[(0.5, 0.3), (1.0, 0.3)])) == 80
    assert len(guard(human_fraction="golden")) == 80


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_fraction": 0.1}, "`min_fraction` expected 0.0 in source 'wiki'"),
        ({"max_fraction": 0.9}, "`max_fraction` expected 1.0 in source 'wiki'"),
        ({"when_dry": "stop"}, '`when_dry` expected "error" or "human" in source \'wiki\''),
    ],
)
def test_what_sources_say_of_slots_is_refused(settings: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        guard(Source(ROWS, "wiki", "human", **settings))
