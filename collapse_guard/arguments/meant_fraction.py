"""The fraction that a float was meant as: floats hold neither 3/10 nor 1/3."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

_STEPS = 4
"""Roundings that a value may be the result of, each off by at most half a step below 1."""

# By the bits of a type, of which float64 has 53.
_FEW_DIGITS = {11: 3, 24: 5, 53: 12}
_LARGEST_DENOMINATOR = {11: 100, 24: 1000, 53: 10**6}


def meant_fraction(value: Any) -> Fraction:
    """The fraction that a number was meant as.

    Whole numbers, `Fraction` and `Decimal` are exact. A float is, of these, the first that is:

    * the decimal that it prints as, where that has few digits: at most 12 for Python's float and
      numpy's float64, 5 for float32, 3 for float16. So people write down 0.3, 0.333333 and
      0.61803398875, while of what is computed, fewer than 1 in 1,000 prints so;
    * for a float64 that holds a float32 exactly, as `torch.tensor(0.3).item()` is: the simplest
      fraction with a denominator of at most 1,000, or the decimal of at most 5 digits, that float32
      rounds to it;
    * where more digits show that it was computed, as `1 - 0.7`, `0.1 + 0.2` and `2 / 3` were: the
      simplest fraction within rounding error, 4 x max(1, value) units in the last place below 1
      (2^-53 for float64, 2^-24 for float32, 2^-11 for float16), whose denominator is at most
      1,000,000 (1,000 and 100). The simplest is the one with the least denominator; 0 is meant
      only by what subtracting leaves, a whole multiple of 1/8 such unit, and not by 1e-38;
    * the decimal that it prints as.

    Args:
        value: A float, int, `Fraction`, `Decimal` or numpy's number.

    Raises:
        ValueError: It is not finite.
        OverflowError: Likewise.

    Example:
        >>> [str(meant_fraction(value)) for value in (0.3, 1 - 0.7, 2 / 3, 0.333333, 1e-9)]
        ['3/10', '3/10', '2/3', '333333/1000000', '1/1000000000']
    """
    if not isinstance(value, float | np.floating):
        return Fraction(value)
    if not np.isfinite(value):
        raise ValueError("no fraction is infinite or no number")
    # A wider type tells no more than a float64 of what was meant, as all of them print as that.
    of = value if isinstance(value, np.float16 | np.float32) else np.float64(value)
    if float(of).is_integer():
        return Fraction(float(of))
    printed = _short_decimal(of)
    if printed is not None:
        return printed
    narrow = np.float32(of) if isinstance(of, np.float64) and abs(of) < 2**100 else None
    if narrow is not None and float(narrow) == float(of):
        half = Fraction(float(np.spacing(abs(narrow)))) / 2
        found = _simplest(narrow, half) or _short_decimal(narrow)
    else:
        found = None
    if found is None:
        unit, exact = Fraction(1, 2 ** _bits(of)), Fraction(float(of))
        found = _simplest(of, _STEPS * unit * max(Fraction(1), abs(exact)))
        if found == 0 and exact % (unit / 8):
            found = None
    return Fraction(str(of)) if found is None else found


def _short_decimal(value: Any) -> Fraction | None:
    """The decimal that a float prints as; None where it has more digits than people write."""
    decimal = Decimal(str(value))
    digits = len(decimal.normalize().as_tuple().digits)
    return Fraction(decimal) if digits <= _FEW_DIGITS[_bits(value)] else None


def _simplest(value: Any, error: Fraction) -> Fraction | None:
    """The simplest fraction within an error of a float; None where its denominator is large."""
    exact = Fraction(float(value))
    found = simplest_between(exact - error, exact + error)
    return found if found.denominator <= _LARGEST_DENOMINATOR[_bits(value)] else None


def _bits(value: Any) -> int:
    return int(np.finfo(type(value)).nmant) + 1


def simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """The fraction with the least denominator from `low` to `high`, both of which count.

    Args:
        low: Not above `high`.
        high: The other end.

    Example:
        >>> simplest_between(Fraction(31, 100), Fraction(34, 100))
        Fraction(1, 3)
    """
    if low <= 0 <= high:
        return Fraction(0)
    if high < 0:
        return -simplest_between(-high, -low)
    whole = math.ceil(low)
    if whole <= high:
        return Fraction(whole)
    below = whole - 1
    return below + 1 / simplest_between(1 / (high - below), 1 / (low - below))
