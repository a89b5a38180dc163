"""How large simulations are: short in every run of the tests, long in `make test-long`."""

import os
from typing import TypeVar

Size = TypeVar("Size")

LONG = os.environ.get("TEST_SIZES") == "long"


def sized(*, short: Size, long: Size) -> Size:
    """One of both.

    Args:
        short: Enough to see a property that is off grossly. What is asserted must allow for the
            chances of so few.
        long: Enough to see one that is off by little.
    """
    return long if LONG else short
