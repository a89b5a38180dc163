"""Means over seeds, and how sure they are."""

import math
from collections.abc import Sequence

import numpy as np

from collapse_guard.statistics.student import student_quantile


def mean_and_half_width(values: Sequence[float]) -> tuple[float, float]:
    """The mean over seeds and half of its 95% interval, by Student's t; NaN for a single seed.

    Example:
        >>> [round(each, 2) for each in mean_and_half_width([1.0, 2.0, 3.0])]
        [2.0, 2.48]
    """
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return mean, math.nan
    error = float(np.std(values, ddof=1)) / math.sqrt(count)
    return mean, student_quantile(0.975, count - 1) * error


def told(values: Sequence[float], digits: int = 2) -> str:
    """The mean ± half of its 95% interval as text, without the latter for a single seed."""
    mean, half = mean_and_half_width(values)
    return f"{mean:.{digits}f}" + ("" if math.isnan(half) else f" ± {half:.{digits}f}")
