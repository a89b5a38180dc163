import math

import numpy as np
import pytest
from scipy import stats

from collapse_guard.errors import ArgumentError
from collapse_guard.statistics.student import (
    student_half_width,
    student_interval,
    student_quantile,
    student_reach,
)


@pytest.mark.parametrize("degrees", [1, 1.5, 2, 3.7, 12, 100, 9_999, 1e7])
@pytest.mark.parametrize("probability", [0.5, 0.6, 0.9, 0.975, 0.995])
def test_quantiles_are_those_of_scipy(probability: float, degrees: float) -> None:
    expected = stats.t.ppf(probability, degrees)
    assert student_quantile(probability, degrees) == pytest.approx(expected, rel=3e-4, abs=1e-12)


@pytest.mark.parametrize(
    ("probability", "degrees", "argument"),
    [(0.4, 5, "probability"), (1.0, 5, "probability"), (0.9, 0.9, "degrees")],
)
def test_what_has_no_quantile_here_is_refused(
    probability: float, degrees: float, argument: str
) -> None:
    with pytest.raises(ArgumentError, match=f"`{argument}`"):
        student_quantile(probability, degrees)


@pytest.mark.parametrize("degrees", [3, 9, 29, 99, 1e6])
@pytest.mark.parametrize("normal", [0.5, 2.0, 3.0, 4.5])
def test_a_students_t_reaches_no_farther(normal: float, degrees: float) -> None:
    reach, quantile = student_reach(normal, degrees), stats.t.isf(stats.norm.sf(normal), degrees)
    assert quantile * (1 - 1e-9) <= reach
    if degrees >= 9:
        assert reach <= 1.02 * quantile


def test_the_interval_is_student_s() -> None:
    values = np.array([0.1, 0.5, 0.4, -0.2, 0.3])
    mean, half = student_interval(values)
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high), rel=1e-5)


def test_a_single_value_has_no_interval() -> None:
    mean, half = student_interval([3.0])
    assert mean == 3.0
    assert math.isnan(half)


@pytest.mark.parametrize("units", [0.5, 1.0, 2.0])
def test_half_an_interval_is_of_one_degree_at_least(units: float) -> None:
    assert student_half_width(2.0, units) == 2.0 * student_quantile(0.975, 1.0)
