"""What fails in reading an object is the argument's fault; what is not, passes."""

import sys
from itertools import count

import numpy as np
import pytest
import torch

from collapse_guard import ArgumentError
from collapse_guard.arguments import as_array, listed, members, understood
from collapse_guard.errors import PanelError


def failing(error: BaseException) -> None:
    with understood("rows", 3, expected="a list of rows", hint="give rows"):
        raise error


@pytest.mark.parametrize(
    "error", [TypeError("t"), KeyError("k"), RuntimeError("r"), ZeroDivisionError("z")]
)
def test_a_failure_names_the_argument_and_keeps_its_cause(error: Exception) -> None:
    with pytest.raises(ArgumentError, match="`rows` expected a list of rows, but got 3") as caught:
        failing(error)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        PanelError("p"),
        KeyboardInterrupt(),
        MemoryError(),
        torch.OutOfMemoryError(),
        FileNotFoundError(),
        ModuleNotFoundError(),
    ],
)
def test_what_no_argument_can_help_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        failing(error)
    assert caught.value is error


def test_members_fail_as_the_argument_and_their_reader_as_itself() -> None:
    def breaks():
        yield 1
        raise KeyError("k")

    wanted = {"expected": "a list of rows", "hint": "give rows"}
    assert list(members("rows", (1, 2), **wanted)) == [1, 2]
    for given in (breaks(), 3):
        with pytest.raises(ArgumentError, match="`rows` expected a list of rows"):
            list(members("rows", given, **wanted))

    def read() -> None:
        for _ in members("rows", [1], **wanted):
            raise IndexError

    with pytest.raises(IndexError):
        read()


class Long:
    """Says how many it has, and never has to hold them."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: int) -> int:
        raise AssertionError("it was read")


ROWS = {"expected": "a list of rows", "hint": "give rows"}


def test_what_has_an_end_is_listed() -> None:
    for given in ([1, 2], (1, 2), iter([1, 2]), (row for row in (1, 2)), np.array([1, 2])):
        assert listed("rows", given, **ROWS) == [1, 2]
    assert as_array("rows", [1, 2], **ROWS, dtype=np.float32).dtype == np.float32


def test_what_is_too_long_is_refused_before_it_is_read() -> None:
    for read in (listed, as_array):
        with pytest.raises(
            ArgumentError, match=r"`rows` expected a list of rows.*: give rows"
        ) as e:
            read("rows", Long(2**40 + 1), **ROWS)
        assert e.value.__cause__ is None


def test_what_may_have_no_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # The module bears the name of a function that the package shows in its place.
    module = sys.modules["collapse_guard.arguments.understood"]
    monkeypatch.setattr(module, "_MOST_UNTOLD", 5)
    assert listed("rows", iter(range(5)), **ROWS) == [0, 1, 2, 3, 4]
    assert listed("rows", range(6), **ROWS) == [0, 1, 2, 3, 4, 5]
    for given in (iter(range(6)), count()):
        with pytest.raises(ArgumentError, match=r"give rows; where it is that long, .* as a list"):
            listed("rows", given, **ROWS)
