"""What examples tell of several seeds: a mean, and how sure it is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse_guard import Reading
from collapse_guard.statistics.student import student_interval

_Z = 1.96
"""Standard errors that plots of readings draw to either side."""


@dataclass(frozen=True)
class Interval:
    """A mean over seeds, and half of its interval of 95%; NaN of a single seed.

    Formatted, both numbers have the given format; of NaN there is a dash.

    Example:
        >>> f"{over_seeds([1.0, 2.0, 3.0]):.2f}, {over_seeds([1.0]):+.1f}"
        '2.00 ± 2.48, +1.0'
    """

    mean: float
    half_width: float

    def __format__(self, form: str) -> str:
        if math.isnan(self.mean):
            return "-"
        # A width has no sign to show.
        spread = "" if math.isnan(self.half_width) else f" ± {self.half_width:{form.lstrip('+')}}"
        return f"{self.mean:{form}}{spread}"


def over_seeds(values: Sequence[float] | npt.NDArray[np.float64]) -> Interval:
    """The mean of what seeds gave, with Student's interval.

    Args:
        values: One for each seed, at least one.
    """
    return Interval(*student_interval(values))


def as_reading(place: float, intervals: Mapping[str, Interval]) -> Reading:
    """Intervals as a reading, which `plot_readings` draws with the bands that they span.

    Args:
        place: Along the horizontal axis.
        intervals: By name.
    """
    return Reading(
        place,  # type: ignore[arg-type]
        {name: each.mean for name, each in intervals.items()},
        {name: each.half_width / _Z for name, each in intervals.items()},
    )
