"""Checks stand before a function, which stays what it is."""

import inspect
from dataclasses import dataclass

import pytest

from collapse_guard import ArgumentError
from collapse_guard.arguments import check_fields, checked, flag, optional, whole

few = whole(least=1, hint="give 1")


@checked(times=optional(few), loud=flag(hint="choose"))
def said(word: str, times: int | None = None, *, loud: bool = False) -> tuple[str, object, bool]:
    """What was said."""
    return word, times, loud


def test_a_checked_function_is_called_as_before() -> None:
    assert said("a") == ("a", None, False)
    assert said("a", 2, loud=True) == said(loud=True, times=2, word="a") == ("a", 2, True)
    assert list(inspect.signature(said).parameters) == ["word", "times", "loud"]
    assert said.__doc__ == "What was said."


@pytest.mark.parametrize("call", [lambda: said("a", 0), lambda: said("a", times=0)])
def test_what_does_not_fit_is_refused_however_it_is_given(call) -> None:
    with pytest.raises(ArgumentError, match="`times` expected at least 1"):
        call()


def test_a_mistaken_call_stays_python_s_own_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword"):
        said("a", tmes=1)


def test_a_check_of_no_argument_is_found_where_it_stands() -> None:
    with pytest.raises(TypeError, match="lacks"):
        checked(tmes=few)(lambda times: times)


def test_fields_are_checked_and_kept_as_the_check_returns_them() -> None:
    @dataclass(frozen=True)
    class Count:
        times: int

        def __post_init__(self) -> None:
            check_fields(self, times=lambda name, value: int(few(name, value)))

    assert type(Count(True + 1).times) is int
    with pytest.raises(ArgumentError, match="`times`"):
        Count(0)
