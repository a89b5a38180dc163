import math

import pytest

from collapse_guard.statistics.overflow import MOST_NATS, exp_or_infinity


@pytest.mark.parametrize("nats", [MOST_NATS, 1e6, math.inf])
def test_what_no_float_holds_is_infinite(nats: float) -> None:
    assert exp_or_infinity(nats) == math.inf


@pytest.mark.parametrize("nats", [-math.inf, -1e6, -1.0, 0.0, 1.0, 699.9])
def test_all_else_is_as_it_is(nats: float) -> None:
    assert exp_or_infinity(nats) == math.exp(nats) < math.inf


def test_nothing_known_stays_so() -> None:
    assert math.isnan(exp_or_infinity(math.nan))
