import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing import MixGuard
from tests.mixing.conftest import Count, make_rows

HUMAN, SYNTHETIC = 1, 2


def small_guard(**settings: Any) -> MixGuard:
    arguments: dict[str, Any] = {"human_fraction": 0.3, "block_size": 8} | settings
    return MixGuard(make_rows(HUMAN, 30), make_rows(SYNTHETIC, 70), **arguments)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"human_fraction": 1.01}, "`human_fraction` expected a number from 0 to 1, but got 1.01"),
        ({"human_fraction": math.nan}, "`human_fraction` expected a number from 0 to 1"),
        ({"block_size": 0}, "`block_size` expected a whole number from 1"),
        ({"max_repeats": 0}, "`max_repeats` expected a whole number from 1"),
        ({"length": 0}, "`length` expected a whole number from 1"),
        ({"length": 2**31 - 1, "block_size": 10}, "`length` expected a whole number from 1"),
        ({"epochs": 0}, "`epochs` expected a whole number from 1"),
        ({"epochs": 1.5}, "`epochs` expected a whole number from 1"),
        ({"seed": -1}, "`seed` expected a whole number from 0"),
        ({"seed": None}, "`seed` expected a whole number from 0"),
    ],
)
def test_arguments_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        small_guard(**settings)


@given(
    num_human=st.integers(1, 50),
    per_block=st.integers(1, 20),
    block_size=st.integers(20, 40),
    cap=st.integers(1, 5),
)
def test_too_long_an_epoch_is_refused_and_the_length_named_is_the_longest(
    num_human: int, per_block: int, block_size: int, cap: int
) -> None:
    def guard(length: int) -> MixGuard:
        return MixGuard(
            Count(num_human),
            Count(10**6),
            human_fraction=Fraction(per_block, block_size),
            block_size=block_size,
            max_repeats=cap,
            length=length,
        )

    most = num_human * cap // per_block * block_size
    with pytest.raises(ArgumentError, match=f"`length` expected at most {most} slots") as caught:
        guard(most + 1)
    assert f"the {num_human} rows in `human`" in str(caught.value)
    if most:
        assert len(guard(most)) == most


def test_too_few_synthetic_rows_are_refused_too() -> None:
    with pytest.raises(ArgumentError, match="the 3 rows in `synthetic`"):
        MixGuard(Count(1000), Count(3), human_fraction=0.5, block_size=2)
