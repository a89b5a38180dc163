"""Checks of plain arguments, in the wording that all errors of the package share."""

import operator
from typing import Any

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
