"""Ratios over documents that come one after another, older ones counting less."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.statistics.estimates import Estimate
from collapse_guard.statistics.json_forms import Part, RestoredWhole

Floats = npt.NDArray[np.float64]

_ABOUT = 1.0 + 1e-9


class DecayedRatios(RestoredWhole):
    """Exponentially weighted ratios, each with its standard error, in memory that does not grow.

    For q ratios of sums over documents, sum w n / sum w d with weights w that shrink by one factor
    at each further document. The linearised error of `estimates.ratio` needs no more than the sums
    of w n, w d, w^2 n^2, w^2 n d and w^2 d^2; the sums of w and w^2 give the number of documents of
    equal weight (Kish) that it is worth.

    Args:
        num_ratios: q.
        memory: Documents after which one counts exp(-1) of a new one, above 0; infinite to let all
            count alike.

    Attributes:
        sums: float64 of shape (5, q), in the order above. Those of several processes may be added.
        weights: float64 of shape (2,), the sums of w and w^2.
    """

    def __init__(self, num_ratios: int, memory: float) -> None:
        self._shrink = math.exp(-1.0 / memory)
        self.sums: Floats = np.zeros((5, num_ratios))
        self.weights: Floats = np.zeros(2)

    def add(self, numerators: Floats, denominators: Floats) -> None:
        """Take in documents, the oldest first.

        Args:
            numerators: float64 of shape (documents, q).
            denominators: float64 of shape (documents, q).
        """
        n, d = numerators, denominators
        w = self._shrink ** np.arange(len(n) - 1, -1, -1)
        old = np.array([1, 1, 2, 2, 2])
        fresh = [w @ n, w @ d, w**2 @ n**2, w**2 @ (n * d), w**2 @ d**2]
        self.sums = (self._shrink ** (len(n) * old))[:, None] * self.sums + np.array(fresh)
        self.weights = self._shrink ** (len(n) * np.array([1, 2])) * self.weights
        self.weights += [w.sum(), (w**2).sum()]

    def state_dict(self) -> dict[str, Any]:
        """The sums, in plain JSON types."""
        return {"sums": self.sums.tolist(), "weights": self.weights.tolist()}

    def restoring(self, state: Part) -> Callable[[], None]:
        """As `RestoredWhole.restoring`."""
        parts = state.keys("sums", "weights")
        sums = parts["sums"].numbers(*self.sums.shape)
        weights = parts["weights"].numbers(2, least=0.0)
        parts["weights"].check(
            bool(weights[1] <= weights[0] * _ABOUT and (weights[1] > 0.0) == (weights[0] > 0.0)),
            "sums of weights from 0 to 1 and of their squares",
        )
        _, denominators, squares, _, of_denominators = sums
        least = min(denominators.min(), squares.min(), of_denominators.min())
        parts["sums"].check(least >= 0.0, "sums of denominators and squares of at least 0")

        def restore() -> None:
            self.sums, self.weights = sums, weights

        return restore


def decayed_ratios(sums: Floats, weights: Floats) -> list[Estimate]:
    """The ratios that the sums of `DecayedRatios` make; NaN where there is nothing to divide by.

    Args:
        sums: float64 of shape (5, q).
        weights: float64 of shape (2,).

    Example:
        >>> ratios = DecayedRatios(1, memory=math.inf)
        >>> ratios.add(np.array([[2.0], [4.0]]), np.array([[1.0], [1.0]]))
        >>> decayed_ratios(ratios.sums, ratios.weights)[0][:2]
        (3.0, 1.0)
    """
    units = float(weights[0] ** 2 / weights[1]) if weights[1] else 0.0
    estimates = []
    for n, d, nn, nd, dd in sums.T:
        if d == 0.0:
            estimates.append(Estimate(math.nan, math.nan, np.zeros(0), units))
            continue
        value = float(n / d)
        spread = max(float(nn - 2 * value * nd + value**2 * dd), 0.0) / float(d) ** 2
        error = math.sqrt(spread * units / (units - 1)) if units > 1 else math.nan
        estimates.append(Estimate(value, error, np.zeros(0), units))
    return estimates
