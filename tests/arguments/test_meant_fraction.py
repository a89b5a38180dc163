"""Floats are read as the fractions that people mean by them, and exact numbers as they are."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from collapse_guard import MixGuard, Source
from collapse_guard.arguments import meant_fraction
from collapse_guard.arguments.meant_fraction import simplest_between

F16, F32 = np.float16, np.float32


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (1 - 0.7, "3/10"),
        (0.1 + 0.2, "3/10"),
        (1 - 0.9, "1/10"),
        (1 - 0.999, "1/1000"),
        (1 / 3, "1/3"),
        (2 / 3, "2/3"),
        (5 / 7, "5/7"),
        (sum([0.1] * 10), "1"),
        (1 - sum([0.1] * 10), "0"),
        (0.3 - 3 * 0.1, "0"),
        (2.5000000000000004, "5/2"),
        (1e300, str(int(1e300))),
        # As somebody wrote it down.
        (0.333333, "333333/1000000"),
        (0.30000001, "30000001/100000000"),
        (0.000000000001, "1/1000000000000"),
        (0.61803398875, "61803398875/100000000000"),
        (1e-9, "1/1000000000"),
        # Too fine for any simple fraction.
        (0.12345678901234568, "0.12345678901234568"),
        (1e-9 * 3, "3.0000000000000004e-09"),
        (1.1754943508222875e-38, "1.1754943508222875e-38"),
        # Of another type than Python's.
        (F32(0.3), "3/10"),
        (F32(1) - F32(0.7), "3/10"),
        (F32(1) / F32(3), "1/3"),
        (F32(0.33333), "33333/100000"),
        (F16(0.3), "3/10"),
        (F16(1) - F16(0.7), "3/10"),
        (F16(1) / F16(3), "1/3"),
        (F16(0.333), "333/1000"),
        (np.float64(1) - np.float64(0.7), "3/10"),
        (np.longdouble(0.3), "3/10"),
        # A float32 on its way through Python's float.
        (float(F32(0.3)), "3/10"),
        (torch.tensor(1 / 3).item(), "1/3"),
        # No float32 that anybody rounded: the share of human rows among 2^20.
        (314573 / 2**20, "0.3000001907348633"),
        # Exact.
        (Fraction(1 - 0.7), str(Fraction(1 - 0.7))),
        (Decimal("0.30000000000000004"), "0.30000000000000004"),
        (np.int64(1), "1"),
        (1, "1"),
    ],
)
def test_what_is_meant(value: Any, meant: str) -> None:
    assert meant_fraction(value) == Fraction(meant)


@given(st.integers(1, 1000), st.data())
def test_a_fraction_is_found_again_whatever_it_was_computed_by(
    denominator: int, data: st.DataObject
) -> None:
    meant = Fraction(data.draw(st.integers(0, denominator)), denominator)
    value = float(meant)
    for computed in (value, 1 - (1 - value), (value + 1) - 1, value / 3 * 3, np.float64(value)):
        assert meant_fraction(computed) == meant
    small = meant.limit_denominator(30)
    assert meant_fraction(F32(1) - F32(1 - small)) == small


@given(st.floats(0, 1))
def test_no_value_is_moved_by_more_than_rounding(value: float) -> None:
    assert abs(meant_fraction(value) - Fraction(value)) <= Fraction(1, 2**51) + Fraction(
        abs(value)
    ) * Fraction(1, 2**24) * (float(F32(value)) == value)


@given(st.fractions(0, 2, max_denominator=60), st.fractions(0, 2, max_denominator=60))
def test_the_simplest_is_the_one_with_the_least_denominator(one: Fraction, other: Fraction) -> None:
    low, high = sorted([one, other])
    found = simplest_between(low, high)
    least = next(d for d in range(1, 4000) if -(-low * d // 1) <= high * d)
    assert low <= found <= high
    assert found.denominator == least
    assert simplest_between(-high, -low) == -found or low == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), F32("nan"), Decimal("nan")])
def test_what_is_not_finite_is_refused(value: Any) -> None:
    with pytest.raises((ValueError, OverflowError)):
        meant_fraction(value)


@pytest.mark.parametrize("fraction", [1 - 0.7, 0.1 + 0.2, F32(0.3), float(F32(0.3)), F16(0.3)])
def test_three_rows_of_ten_are_three(fraction: Any) -> None:
    rows = list(range(100))
    for floor in (fraction, [(0.5, fraction), (1.0, fraction)], lambda _: fraction):
        guard = MixGuard(rows, rows, human_fraction=floor, block_size=10)
        assert str(guard.report()).splitlines()[0].endswith("(at least 3 of every 10)")
    sources = [
        Source(rows, "a", "human", min_fraction=fraction, max_fraction=fraction),
        Source(rows, "b", "human"),
    ]
    guard = MixGuard(sources, rows, human_fraction=0.5, block_size=10)
    located = guard.locate(range(10))
    assert (located.source == 0).sum() == 3


def test_weights_are_read_alike() -> None:
    rows = list(range(100))
    weights = {"a": 1 - 0.7, "b": F32(0.6), "c": 0.1}
    sources = [Source(rows, name, "human", weight=weight) for name, weight in weights.items()]
    guard = MixGuard(sources, None, human_fraction=1.0, block_size=10, length=1000, max_repeats=9)
    shown = [(guard.locate(range(1000)).source == number).sum() for number in range(3)]
    assert shown == [300, 600, 100]
