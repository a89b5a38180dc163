"""Errors say what was expected, and survive the way between processes."""

import pickle

import pytest

from collapse_guard.errors import (
    CalledOffError,
    ConformityError,
    LostPeerError,
    PeerError,
    bad_argument,
    shown,
)


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


def test_what_does_not_conform_is_told_fault_by_fault() -> None:
    faults = {"is finite": "it gave nan", "leaves the model alone": "it set a mode"}
    error = ConformityError("mine", faults, num_checks=5)
    assert str(error).splitlines() == [
        "reading `mine` fails at 2 of 5 checks:",
        "- is finite: it gave nan",
        "- leaves the model alone: it set a mode",
    ]
    faults.clear()
    assert list(error.faults) == ["is finite", "leaves the model alone"]
    assert str(ConformityError("mine", {}, num_checks=1, what="detector")).startswith("detector")


def test_an_error_of_another_process_says_whether_trying_again_is_of_use() -> None:
    assert not PeerError("it failed").never_passes
    assert PeerError("it failed", never_passes=True).never_passes
    assert str(LostPeerError("it died")) == "it died"
    # What has died has left, and who catches the one catches the other.
    assert issubclass(LostPeerError, CalledOffError)
    assert issubclass(CalledOffError, PeerError)


def test_long_sets_and_dictionaries_are_cut() -> None:
    for given in (dict.fromkeys(range(200), 0), set(range(200)), frozenset(range(200))):
        text = shown(given)
        assert len(text) == 120
        assert text.endswith("...")
        assert text[:20] == repr(given)[:20]
