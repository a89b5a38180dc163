"""Errors say what was expected, and survive the way between processes."""

import pickle

import pytest

from collapse_guard.errors import bad_argument, shown


def test_errors_shorten_what_was_given_and_cross_processes() -> None:
    error = bad_argument("ids", expected="a", given="x" * 500, hint="do")
    assert "xxx...: do." in str(error)
    assert len(str(error)) < 200
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert isinstance(error, ValueError)


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError("mute")


class Wrong:
    def __repr__(self):
        return 3


class Endless:
    def __repr__(self) -> str:
        return repr([self])


class Surrogate:
    def __repr__(self) -> str:
        return "\ud800"


class Nameless(type):
    @property
    def __name__(cls) -> str:
        raise RuntimeError("nameless")


def tower() -> list[object]:
    """Short lists of short lists, 10^40 members in all."""
    top: list[object] = []
    for _ in range(40):
        top = [top] * 10
    return top


def round_about() -> list[object]:
    around: list[object] = []
    around.append(around)
    return around


@pytest.mark.parametrize(
    "given",
    [
        Mute(),
        [Mute()],
        {Mute(): 1},
        Wrong(),
        Endless(),
        Surrogate(),
        Nameless("C", (Mute,), {})(),
        2**200_000,
        [2**200_000],
        tower(),
        round_about(),
        set(range(10**6)),
        dict.fromkeys(range(10**6)),
    ],
    ids=lambda given: type(given).__qualname__,
)
def test_errors_survive_what_they_show(given: object) -> None:
    text = str(bad_argument("n", expected="a", given=given, hint="do"))
    assert text.startswith("argument `n` expected a, but got ")
    assert text.endswith(": do.")
    assert len(text) < 200
    text.encode()


@pytest.mark.parametrize(
    "given",
    [{"b": 1, "a": [2, (3,), {4}, frozenset()]}, set(), frozenset({1}), {}, -(2**70), "ä'", [None]],
)
def test_what_is_short_is_shown_as_it_is(given: object) -> None:
    assert shown(given) == repr(given)
