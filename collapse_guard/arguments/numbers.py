"""Numbers that were given as arguments."""

import math
import operator
import sys
from decimal import Decimal
from fractions import Fraction
from numbers import Rational, Real
from typing import Any

import numpy as np

from collapse_guard.arguments.meant_fraction import meant_fraction
from collapse_guard.errors import bad_argument

# Rows, slots of an epoch, epochs: with each of them below this, no product of two leaves int64.
MOST = 2**31 - 1

UNLIMITED = 2**63 - 1
"""What a count can be without any limit of its own: it fits into int64."""

_LARGEST = sys.float_info.max


def whole_number(name: str, value: Any, *, least: int, most: int = MOST, hint: str) -> int:
    """The argument as an int.

    Args:
        name: The argument's name.
        value: What the caller gave: an int, or anything that stands for one (`__index__`).
        least: The smallest value allowed.
        most: The largest value allowed.
        hint: What to do when it is something else.

    Raises:
        ArgumentError: It is no whole number, or out of range.

    Example:
        >>> whole_number("epochs", 3, least=1, hint="give 1 for one pass")
        3
    """
    if type(value) is int and least <= value <= most:
        return value
    expected = f"a whole number from {least} to {most}"
    if most == UNLIMITED:
        expected = f"at least {least}, as a whole number"
    error = bad_argument(name, expected=expected, given=value, hint=hint)
    try:
        found = operator.index(value)
    except Exception:
        # Arrays have an `__index__` as well, and fail in ways of their own.
        raise error from None
    if isinstance(value, bool) or not least <= found <= most:
        raise error
    return found


def number(
    name: str,
    value: Any,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
    what: str = "a number",
    hint: str,
) -> float:
    """The argument as a finite number; an int stays one.

    Args:
        name: The argument's name.
        value: What the caller gave: any real number, but no truth value.
        least: The smallest value allowed.
        most: The largest value allowed.
        above: What it must lie above.
        below: What it must lie below.
        what: What it is, as a noun phrase.
        hint: What to do when it is something else.

    Raises:
        ArgumentError: It is no number, not finite, or out of range.

    Example:
        >>> number("alpha", 0.01, above=0, below=1, hint="0.01 is usual")
        0.01
    """
    if type(value) is float or type(value) is int:
        found: float = value
    elif isinstance(value, Real | Decimal | np.floating | np.integer) and not isinstance(
        value, bool
    ):
        try:
            found = float(value)
        except (ArithmeticError, ValueError):
            found = math.nan
    else:
        found = math.nan
    # An int may be past what a float holds; NaN compares with nothing.
    if not (least <= found <= most and above < found < below and abs(found) <= _LARGEST):
        limits = (("of at least", least), ("above", above), ("at most", most), ("below", below))
        told = [f"{words} {limit}" for words, limit in limits if math.isfinite(limit)]
        expected = f"{what} {' and '.join(told)}" if told else "a finite number"
        raise bad_argument(name, expected=expected, given=value, hint=hint)
    return found


def amount(name: str, value: Any, *, least: int, hint: str) -> int:
    """The argument as an int that only int64 limits, such as a number of tokens.

    Raises:
        ArgumentError: It is no whole number, or below `least`.
    """
    return whole_number(name, value, least=least, most=UNLIMITED, hint=hint)


def slots_of_a_block(block_size: Any) -> int:
    """The argument `block_size` as an int.

    Raises:
        ArgumentError: It is no whole number, or out of range.
    """
    return whole_number(
        "block_size",
        block_size,
        least=1,
        hint="give the global batch: rows per device x devices x accumulation steps",
    )


def share(name: str, value: Any, *, hint: str) -> Fraction:
    """The argument as an exact share.

    A float is read as the fraction that it was meant as, which `meant_fraction` defines, and not as
    the nearest binary number: 0.3 is a hair less than 3/10, `1 - 0.7` a hair more, and rounding to
    whole rows would turn that hair into a row.

    Args:
        name: The argument's name.
        value: What the caller gave: a float, int, `Fraction`, `Decimal` or numpy's number.
        hint: What to do when it is something else.

    Raises:
        ArgumentError: It is no number from 0 to 1.

    Example:
        >>> share("human_fraction", 1 - 0.7, hint="give e.g. 0.3")
        Fraction(3, 10)
    """
    error = bad_argument(name, expected="a number from 0 to 1", given=value, hint=hint)
    if isinstance(value, bool) or not isinstance(value, Rational | Decimal | float | np.floating):
        raise error
    try:
        exact = meant_fraction(value)
    except (ArithmeticError, ValueError):
        # Not finite.
        raise error from None
    if not 0 <= exact <= 1:
        raise error
    return exact
