"""How far apart two kinds of rows are, in units that forms can be ordered by."""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

NUM_TOGETHER = 100
"""For so many forms together the intervals hold with 95%, as hardly more are compared: among many
that each held with 95% some would show a difference where there is none."""

_Z = NormalDist().inv_cdf(1 - 0.025 / NUM_TOGETHER)


class Effect(NamedTuple):
    """A standardised difference: 0 for none, .2 is hard to see, .8 is plain (Cohen, 1988).

    Attributes:
        size: Above 0 where the synthetic rows have more of it.
        low: Lower end of its interval, which holds with 95% for `NUM_TOGETHER` forms together.
        high: Upper end.
    """

    size: float
    low: float
    high: float

    @property
    def sure(self) -> float:
        """The least size in the interval, whichever way: 0 where it holds 0."""
        return max(self.low, -self.high, 0.0)


def share_effect(synthetic: int, of_synthetic: int, human: int, of_human: int) -> Effect:
    """Cohen's h of two shares: the difference of their angles 2 arcsin sqrt(p), from -pi to pi.

    Its standard error is sqrt(1/n + 1/m) whatever the shares are (Cohen, Statistical power
    analysis, 1988, chapter 6).

    Args:
        synthetic: How many synthetic rows have the form.
        of_synthetic: Of how many, at least 1.
        human: How many human rows have it.
        of_human: Of how many, at least 1.

    Example:
        >>> [round(value, 2) for value in share_effect(50, 50, 0, 200)]
        [3.14, 2.59, 3.14]
    """
    angles = [
        2 * math.asin(math.sqrt(k / n)) for k, n in ((synthetic, of_synthetic), (human, of_human))
    ]
    size = angles[0] - angles[1]
    reach = _Z * math.sqrt(1 / of_synthetic + 1 / of_human)
    return Effect(size, max(size - reach, -math.pi), min(size + reach, math.pi))


def mean_effect(synthetic: npt.NDArray[np.float64], human: npt.NDArray[np.float64]) -> Effect:
    """Cohen's d of two means: their difference over the rows' own spread.

    The interval is that of Hedges and Olkin (1985) for large samples.

    Args:
        synthetic: float64 of shape (rows,), a number for each synthetic row; at least one.
        human: float64 of shape (others,), for each human row.

    Returns:
        Infinite where rows of a kind are all alike and the kinds are not.

    Example:
        >>> effect = mean_effect(np.array([3.0, 4.0, 5.0]), np.array([1.0, 2.0, 3.0]))
        >>> round(effect.size, 2), round(effect.low, 2)
        (2.0, -1.48)
    """
    n, m = len(synthetic), len(human)
    difference = float(synthetic.mean() - human.mean())
    squares = float(
        ((synthetic - synthetic.mean()) ** 2).sum() + ((human - human.mean()) ** 2).sum()
    )
    spread = math.sqrt(squares / (n + m - 2)) if n + m > 2 else 0.0
    if spread <= 1e-9 * max(abs(float(human.mean())), 1.0):
        if abs(difference) <= 1e-9 * max(abs(float(human.mean())), 1.0):
            return Effect(0.0, 0.0, 0.0)
        # One row of each kind says nothing of the spread.
        size = math.copysign(math.inf, difference)
        return Effect(size, size, size) if min(n, m) > 1 else Effect(size, -math.inf, math.inf)
    size = difference / spread
    reach = _Z * math.sqrt((n + m) / (n * m) + size**2 / (2 * (n + m)))
    return Effect(size, size - reach, size + reach)
