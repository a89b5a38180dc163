"""A short form of `python -m tests.mutated`, and that it would find what it looks for."""

import random
from typing import Any

import pytest

from collapse_guard.errors import ArgumentError
from tests.mutated.breaking import GOOD, cases, outcomes
from tests.mutated.files import bomb
from tests.mutated.judging import Case, judged
from tests.mutated.mutations import mutated

FEW = 40


@pytest.mark.parametrize("name", sorted(cases()))
def test_what_is_broken_is_refused_whole_or_does_no_harm(name: str) -> None:
    counts = outcomes(name, FEW, seed=1)
    assert set(counts) <= set(GOOD), counts
    assert counts["refused"] > FEW / 4


@pytest.mark.parametrize("name", sorted(cases()))
def test_what_is_whole_loads(name: str) -> None:
    case = cases()[name]()
    assert judged(case, case.original) == "harmless"


class Careless:
    """Loads the first half of what it is given before it looks at the second."""

    def __init__(self) -> None:
        self.first, self.second = 1.0, 1.0

    def load(self, state: dict[str, Any]) -> "Careless":
        self.first = state["first"]
        if not isinstance(state["second"], float):
            raise ArgumentError("the second is no number")
        self.second = state["second"]
        return self


def test_what_is_loaded_by_half_is_found() -> None:
    case = Case(
        "careless",
        {"first": 2.0, "second": 3.0},
        mutated,
        make=Careless,
        load=lambda mine, state: mine.load(state),
        said=lambda mine: {"first": mine.first, "second": mine.second},
        use=lambda mine: mine.first + mine.second,
    )
    assert judged(case, {"first": 5.0, "second": None}) == "refused, and changed"
    assert judged(case, {"first": 5.0}) == "KeyError and no error of ours"
    assert judged(case, {"first": "x", "second": 3.0}).startswith("accepted, and then TypeError")
    assert judged(case, {"first": float("nan"), "second": 3.0}) == (
        "accepted with what is not finite"
    )
    assert judged(case, {"first": 2.0, "second": 3.0, "third": 4}) == "harmless"
    assert judged(case, {"first": 5.0, "second": 3.0, "third": 4}) == "accepted as something else"
    chance = random.Random(0)
    verdicts = {judged(case, mutated(case.original, chance)) for _ in range(100)}
    assert not verdicts <= set(GOOD)


def test_a_bomb_is_small() -> None:
    assert len(bomb("counts", 10)) < 1000
