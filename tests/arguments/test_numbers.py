"""Plain arguments are read exactly, or refused in the wording of all errors."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard import ArgumentError
from collapse_guard.arguments import share, slots_of_a_block, whole_number


@given(st.integers(0, 1000), st.integers(0, 3))
def test_a_float_is_the_decimal_that_it_prints_as(thousandths: int, places: int) -> None:
    exact = Fraction(thousandths, 1000)
    assert share("f", thousandths / 1000, hint="h") == exact
    assert share("f", Decimal(thousandths) / 1000, hint="h") == exact
    assert share("f", exact, hint="h") == exact


def test_numbers_of_numpy_are_numbers() -> None:
    assert share("f", np.float64(0.3), hint="h") == Fraction(3, 10)
    assert type(whole_number("n", np.int32(7), least=1, hint="h")) is int


@pytest.mark.parametrize("given", [1.5, -0.1, True, "0.3", None, float("nan"), np.inf])
def test_what_is_no_share_is_refused(given: object) -> None:
    with pytest.raises(ArgumentError, match=r"`f` expected a number from 0 to 1, .*: say one"):
        share("f", given, hint="say one")


@pytest.mark.parametrize("given", [0, 2**31, 2.0, True, "8", None])
def test_what_is_no_whole_number_is_refused(given: object) -> None:
    with pytest.raises(ArgumentError, match=r"`block_size` .* to 2147483647, .*global batch"):
        slots_of_a_block(given)
