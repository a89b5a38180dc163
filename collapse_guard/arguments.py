"""Checks of plain arguments, in the wording that all errors of the package share."""

import math
import operator
from decimal import Decimal
from fractions import Fraction
from numbers import Rational
from typing import Any

import numpy as np

from collapse_guard.errors import bad_argument

# Rows, slots of an epoch, epochs: with each of them below this, no product of two leaves int64.
MOST = 2**31 - 1


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
    expected = f"a whole number from {least} to {most}"
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise bad_argument(name, expected=expected, given=value, hint=hint)
    number = operator.index(value)
    if not least <= number <= most:
        raise bad_argument(name, expected=expected, given=value, hint=hint)
    return number


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

    A float is read as the decimal that it prints as, not as the nearest binary number: 0.3 is a
    hair less than 3/10, 0.1 a hair more than 1/10, and rounding to whole rows would turn that hair
    into a row.

    Args:
        name: The argument's name.
        value: What the caller gave: a float, int, `Fraction` or `Decimal`.
        hint: What to do when it is something else.

    Raises:
        ArgumentError: It is no number from 0 to 1.

    Example:
        >>> share("human_fraction", 0.3, hint="give e.g. 0.3")
        Fraction(3, 10)
    """
    error = bad_argument(name, expected="a number from 0 to 1", given=value, hint=hint)
    if isinstance(value, bool) or not isinstance(value, Rational | Decimal | float | np.floating):
        raise error
    if not math.isfinite(value):
        raise error
    exact = Fraction(value) if isinstance(value, Rational | Decimal) else Fraction(str(value))
    if not 0 <= exact <= 1:
        raise error
    return exact
