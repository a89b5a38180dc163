"""Quantiles of Student's t, which the core has no library for."""

import numpy as np

from collapse_guard.errors import bad_argument

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
