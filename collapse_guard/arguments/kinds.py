"""Checks by what an argument may be: each takes a name and a value, as `checked` wants them."""

import math
from typing import Any, Literal

import torch

from collapse_guard.arguments.checked import Check
from collapse_guard.arguments.numbers import UNLIMITED, number, whole_number
from collapse_guard.arguments.understood import listed
from collapse_guard.errors import bad_argument


def whole(*, least: int, most: int = UNLIMITED, hint: str) -> Check:
    """A whole number, as an int."""
    return lambda name, value: whole_number(name, value, least=least, most=most, hint=hint)


def real(
    *,
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
    what: str = "a number",
    hint: str,
) -> Check:
    """A finite number."""
    limits = {"least": least, "most": most, "above": above, "below": below}
    return lambda name, value: number(name, value, **limits, what=what, hint=hint)


def a(*classes: type[Any], expected: str, hint: str) -> Check:
    """An object of one of these classes, or of what counts as one."""
    return _that(lambda value: isinstance(value, classes), expected, hint)


def module(*, expected: str = "a model", hint: str) -> Check:
    """A module of torch."""
    return a(torch.nn.Module, expected=expected, hint=hint)


def tensor(*, of: Literal["numbers", "whole numbers"], expected: str, hint: str) -> Check:
    """A tensor that holds something, densely."""

    def fits(value: Any) -> bool:
        return (
            isinstance(value, torch.Tensor)
            and value.layout == torch.strided
            and value.device.type != "meta"
            and not value.is_complex()
            and (of == "numbers" or not value.is_floating_point())
        )

    return _that(fits, expected, hint)


def flag(*, hint: str) -> Check:
    """True or False."""
    return a(bool, expected="True or False", hint=hint)


def text(*, expected: str = "a text", hint: str) -> Check:
    """A text that can be written to a file."""

    def is_text(value: Any) -> bool:
        return isinstance(value, str) and bool(value.encode() or True)

    return _that(is_text, expected, hint)


def function(*, expected: str = "a function", hint: str) -> Check:
    """Something that can be called."""
    return _that(callable, expected, hint)


def one_of(*choices: str, hint: str) -> Check:
    """One of some texts."""
    return _that(
        lambda value: isinstance(value, str) and value in choices,
        f"one of {list(choices)}" if len(choices) > 2 else " or ".join(f'"{c}"' for c in choices),
        hint,
    )


def optional(check: Check) -> Check:
    """None, or what the check lets pass."""
    return lambda name, value: None if value is None else check(name, value)


def many(check: Check, *, expected: str, hint: str) -> Check:
    """A list, an array or the like of what the check lets pass, as a list; a tuple stays one.

    No text, and nothing without a length, which may be endless, or spent once it was looked at.
    """

    def check_each(name: str, value: Any) -> Any:
        try:
            fits = hasattr(value, "__len__") and not isinstance(value, str | bytes | type)
        except Exception:
            fits = False
        if not fits:
            raise bad_argument(name, expected=expected, given=value, hint=hint)
        members = listed(name, value, expected=expected, hint=hint)
        found = [check(name, member) for member in members]
        return tuple(found) if isinstance(value, tuple) else found

    return check_each


def _that(fits: Any, expected: str, hint: str) -> Check:
    def check(name: str, value: Any) -> Any:
        try:
            is_fit = fits(value)
        except Exception:
            # An object may fail at being asked what it is.
            is_fit = False
        if not is_fit:
            raise bad_argument(name, expected=expected, given=value, hint=hint)
        return value

    return check
