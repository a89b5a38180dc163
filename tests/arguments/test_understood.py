"""What fails in reading an object is the argument's fault; what is not, passes."""

import pytest
import torch

from collapse_guard import ArgumentError
from collapse_guard.arguments import members, understood
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
