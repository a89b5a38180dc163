"""Checks of states name what is wrong by its path, and hand on plain values."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.statistics.json_forms import DEEPEST, Part, RestoredWhole

STATE = {"step": 3, "costs": [0.5, 2], "rows": [[1.0, 2.0], [3, 4.0]], "name": "a", "on": True}


def part(name: str) -> Part:
    return Part("state", STATE).entries()[name]


def test_what_is_whole_is_handed_on() -> None:
    parts = Part("state", STATE).keys("step", "costs", "rows", "name", optional=["on", "off"])
    assert set(parts) == set(STATE)
    assert (parts["step"].whole(), parts["name"].text(), parts["on"].flag()) == (3, "a", True)
    assert parts["costs"].numbers(2, least=0.0).tolist() == [0.5, 2.0]
    assert parts["rows"].numbers(-1, 2).shape == (2, 2)
    assert parts["name"].text(among=["a", "b"]) == "a"
    assert Part("s", [1, np.int64(2)]).wholes().tolist() == [1, 2]
    assert Part("s", (np.float32(0.5), 2)).numbers(2).tolist() == [0.5, 2.0]
    assert math.isnan(Part("s", math.nan).number(or_none="nan"))
    assert Part("s", -math.inf).number(or_none="nan, inf") == -math.inf
    assert Part("s", {"a": [None, {"b": math.inf}]}).plain() == {"a": [None, {"b": math.inf}]}


def test_a_range_holds_its_ends() -> None:
    assert [Part("s", end).number(least=1.0, most=2.0) for end in (1, 2.0)] == [1.0, 2.0]
    assert [Part("s", end).whole(least=1, most=3) for end in (1, 3)] == [1, 3]
    assert Part("s", [1, 3]).wholes(2, least=1, most=3).tolist() == [1, 3]
    assert Part("s", [0.5, 2]).numbers(2, least=0.5, most=2.0).tolist() == [0.5, 2.0]
    for given in ([0, 3], [1, 4]):
        with pytest.raises(ArgumentError, match=r"`s\[.\]` expected a whole number from 1 to 3"):
            Part("s", given).wholes(2, least=1, most=3)
        with pytest.raises(ArgumentError, match=r"`s\[.\]` expected a finite number from 1 to 3"):
            Part("s", given).numbers(2, least=1.0, most=3.0)


@pytest.mark.parametrize(
    ("check", "told"),
    [
        (lambda: Part("state", [1]).keys("a"), "`state` expected a mapping, but got 'a list of 1'"),
        (lambda: Part("state", STATE).keys("step", "gone"), "`state` .* 'one without gone'"),
        (lambda: Part("state", STATE).keys("step"), "one with costs, rows, name, on"),
        (
            lambda: Part("state", {1: 2}).entries(),
            "expected a mapping whose keys are text, but",
        ),
        (lambda: part("costs").items(3), r'`state\["costs"\]` expected a list of 3'),
        (lambda: part("costs").items(most=1), "a list of at most 1"),
        (lambda: part("name").items(), "a list, but got 'a'"),
        (lambda: part("costs").numbers(2, most=1.0), r'`state\["costs"\]\[1\]` .* at most 1, .* 2'),
        (lambda: part("rows").numbers(2, 3), r'`state\["rows"\]\[0\]` expected a list of 3'),
        (lambda: part("on").number(), "a finite number, but got True"),
        (lambda: Part("s", math.nan).number(), "a finite number, but got nan"),
        (
            lambda: Part("s", "x").number(or_none="nan, inf"),
            "a finite number, NaN or infinity, but got 'x'",
        ),
        (lambda: Part("s", "x").number(or_none="inf"), "a finite number or infinity, but got 'x'"),
        (
            lambda: Part("s", [1, 2, 3]).numbers(2),
            "`s` expected a list of 2, .*of 3",
        ),
        (lambda: Part("s", [1, 2, 3]).wholes(2), "`s` expected a list of 2, .*of 3"),
        (lambda: Part("s", [1]).numbers(0), "`s` expected a list of 0, .*of 1"),
        (lambda: Part("s", [1]).wholes(0), "`s` expected a list of 0, .*of 1"),
        (
            lambda: Part("s", [[1, 2]]).numbers(2, 2),
            "`s` expected a list of 2, .*of 1",
        ),
        (lambda: Part("s", [[1]]).numbers(0, 1), "`s` expected a list of 0, .*of 1"),
        (
            lambda: Part("s", [[1, 5]]).numbers(1, 2, most=4),
            r"`s\[0\]\[1\]` .* at most 4, .* 5",
        ),
        (lambda: Part("s", [[1, 5]]).numbers(1, 2, least=2), r"`s\[0\]\[0\]` .* least 2, .* got 1"),
        (lambda: Part("s", 2.5).number(least=0.0, most=2.0), "a finite number from 0 to 2, but"),
        (lambda: Part("s", 0.5).number(least=1.0), "a finite number of at least 1, but"),
        (lambda: Part("s", 2.5).number(most=2.0), "a finite number of at most 2, but"),
        (lambda: Part("s", 4).whole(least=1, most=3), "a whole number from 1 to 3, but got 4"),
        (lambda: Part("s", 0).whole(least=1, most=3), "a whole number from 1 to 3, but got 0"),
        (lambda: Part("s", math.inf).number(or_none="nan"), "a finite number or NaN, but got inf"),
        (
            lambda: Part("s", 2**4000).number(),
            "but got a whole number of 4001 bits",
        ),
        (lambda: Part("s", [1.0, math.nan]).numbers(-1), r"`s\[1\]` .* but got nan"),
        (lambda: Part("s", [1.0, "2"]).numbers(-1), r"`s\[1\]` .* but got '2'"),
        (lambda: Part("s", [10**400]).numbers(-1), r"`s\[0\]` expected a finite number"),
        (lambda: Part("s", 3.0).whole(), "a whole number from 0 to"),
        (lambda: Part("s", True).whole(), "a whole number from 0 to"),
        (lambda: Part("s", [1, 7]).wholes(most=6), r"`s\[1\]` expected .* from 0 to 6, but got 7"),
        (lambda: Part("s", [2**80]).wholes(), r"`s\[0\]` expected a whole number"),
        (lambda: Part("s", 1).flag(), "true or false, but got 1"),
        (lambda: Part("s", b"a").text(), "text, but got b'a'"),
        (lambda: Part("s", "c").text(among=["a", "b"]), r"one of \['a', 'b'\], but got 'c'"),
        (lambda: Part("s", {"a": {1}}).plain(), r'`s\["a"\]` expected plain JSON types'),
        (lambda: Part("s", 3).check(False, "4"), "`s` expected 4, but got 3: start the run anew"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(check: Callable[[], object], told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        check()


def test_what_is_nested_too_deep_is_refused_and_not_shown() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for check in (Part("s", deep).plain, Part("s", deep).text, Part("s", [deep]).entries):
        with pytest.raises(ArgumentError, match="a list of 1"):
            check()
    with pytest.raises(ArgumentError, match=f"lists and mappings in no more than {DEEPEST} others"):
        Part("s", deep).plain()
    while deep:
        (deep,) = deep  # type: ignore[assignment]
    wraps: list[Callable[[object], object]] = [lambda inner: [inner], lambda inner: {"a": inner}]
    for wrap in wraps:
        nested = wrap(0)
        for _ in range(DEEPEST - 1):
            nested = wrap(nested)
        assert Part("s", nested).plain() == nested
        with pytest.raises(ArgumentError, match="lists and mappings in no more than"):
            Part("s", wrap(nested)).plain()


def test_numbers_are_of_one_dtype_however_they_are_given() -> None:
    for given in ([1, 2], [1.0, 2], (1, 2), [np.int64(1), 2], [1, 2.5]):
        assert Part("s", given).numbers(2).dtype == np.float64
    assert Part("s", [[1, 2], [3, 4]]).numbers(2, 2).dtype == np.float64
    for given in ([1, 2], (1, 2), [np.int32(1), np.int32(2)], []):
        assert Part("s", given).wholes().dtype == np.int64


def test_a_list_may_be_as_long_as_it_may_be() -> None:
    assert len(Part("s", [1, 2]).items(most=2)) == 2


def test_of_a_long_name_a_path_tells_the_beginning() -> None:
    (path,) = (each.path for each in Part("s", {"k" * 200: 1}).entries().values())
    assert path == f's["{"k" * 80}"]'


def test_a_part_of_a_part_gives_the_same_hint() -> None:
    whole = Part("s", {"a": [1, "x"]}, "take another file")
    (_, item) = whole.entries()["a"].items()
    for wrong in (whole.entries()["a"], item):
        with pytest.raises(ArgumentError, match="take another file"):
            wrong.whole()


class Steps(RestoredWhole):
    """Keeps one number."""

    def __init__(self) -> None:
        self.steps = 0

    def restoring(self, state: Part) -> Callable[[], None]:
        steps = state.keys("steps")["steps"].whole()

        def restore() -> None:
            self.steps = steps

        return restore


def test_what_is_restored_whole_takes_a_state_or_stays_as_it_is() -> None:
    mine = Steps()
    mine.load_state_dict({"steps": 3})
    assert mine.steps == 3
    with pytest.raises(ArgumentError, match=r'`state\["steps"\]` expected a whole number'):
        mine.load_state_dict({"steps": -1})
    assert mine.steps == 3
