"""Quantiles of Student's t, which the core has no library for."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from collapse_guard.errors import bad_argument
from collapse_guard.statistics.overflow import MOST_NATS

_MOST_DEGREES = 1e4
"""From here on the quantile moves by a hundredth of a per cent."""

_POINTS = 20_001


def student_quantile(probability: float, degrees: float) -> float:
    """What a variable of Student's t distribution stays below with a given probability.

    With t = sqrt(degrees) tan(a) the density becomes cos(a)^(degrees - 1) on a finite interval,
    where sums of trapezoids are exact to six digits and more.

    Args:
        probability: In [0.5, 1).
        degrees: Of freedom, at least 1; not only whole numbers.

    Raises:
        ArgumentError: Either is out of range.

    Example:
        >>> round(student_quantile(0.975, 10), 4), round(student_quantile(0.975, 1e9), 3)
        (2.2281, 1.96)
    """
    if not 0.5 <= probability < 1:
        raise bad_argument(
            "probability", expected="0.5 or more, below 1", given=probability, hint="give 0.975"
        )
    if not degrees >= 1:
        raise bad_argument(
            "degrees",
            expected="at least 1",
            given=degrees,
            hint="it takes two documents to see how documents differ",
        )
    degrees = min(degrees, _MOST_DEGREES)
    angles = np.linspace(0.0, np.pi / 2, _POINTS)
    density = np.cos(angles[:-1]) ** (degrees - 1)
    density = np.append(density, 1.0 if degrees == 1 else 0.0)
    steps = np.diff(angles) * (density[1:] + density[:-1]) / 2
    below = np.append(0.0, np.cumsum(steps))
    angle = np.interp(2 * probability - 1, below / below[-1], angles)
    return float(np.sqrt(degrees) * np.tan(angle))


def student_half_width(standard_error: float, units: float, *, probability: float = 0.975) -> float:
    """Half of Student's interval around an estimate.

    Args:
        standard_error: Of the estimate.
        units: How many of equal weight it is over; fewer than 2 are taken for 2.
        probability: That chance leaves the estimate below its upper end, in [0.5, 1): 0.975 for an
            interval of 95%.

    Example:
        >>> round(student_half_width(1.0, 11), 4)
        2.2281
    """
    return student_quantile(probability, max(units - 1, 1.0)) * standard_error


def student_interval(values: Sequence[float] | npt.NDArray[np.float64]) -> tuple[float, float]:
    """A mean of independent values, and half of its interval of 95%; NaN for a single value.

    Example:
        >>> [round(number, 2) for number in student_interval([1.0, 3.0])]
        [2.0, 12.71]
    """
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return mean, math.nan
    return mean, student_half_width(float(np.std(values, ddof=1)) / math.sqrt(count), count)


def student_reach(normal: float, degrees: float) -> float:
    """What Student's t passes no more often than a standard normal variable passes `normal`.

    sqrt(d (exp(z^2 / (d - 1/2)) - 1)) for d degrees of freedom: Wallace's bound (1959, Annals of
    Mathematical Statistics 30(4), 1124-1130) in closed form, above the quantile by 1% at 9 degrees
    and by less with more.

    Args:
        normal: z, at least 0.
        degrees: Of freedom; infinite for the normal variable itself.

    Returns:
        At least z; infinite with half a degree of freedom or less.

    Example:
        >>> round(student_reach(3.0, 9), 2), student_reach(3.0, math.inf)
        (4.12, 3.0)
    """
    if degrees <= 0.5:
        return math.inf
    if math.isinf(degrees):
        return normal
    exponent = normal**2 / (degrees - 0.5)
    # A handful of documents at a late look: past what a float holds is past any limit.
    return math.sqrt(degrees * math.expm1(exponent)) if exponent < MOST_NATS else math.inf
