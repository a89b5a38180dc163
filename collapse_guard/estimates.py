"""Estimates over documents, each with its standard error.

Documents are what is drawn at random when a held-out set is made, so they are the unit of every
standard error; tokens of one document vary together, and counting them as independent would make
errors several times too small. Errors are linearised (the delta method): each estimate is written
as a sum of one influence per document, and n/(n-1) corrects for small n (Taylor series
linearisation of ratio and cluster estimators: Wolter, Introduction to Variance Estimation, 2nd ed.,
2007, chapter 6).
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Estimate(NamedTuple):
    """An estimate and its standard error over documents.

    Attributes:
        value: The estimate.
        standard_error: Same unit; NaN where there are fewer than two documents.
        influences: float64 of shape (documents,), what each document contributes to the error, in
            the order given; documents that do not take part have 0.
    """

    value: float
    standard_error: float
    influences: Floats


def ratio(numerators: Floats, denominators: Floats) -> Estimate:
    """Sum of numerators over sum of denominators: a mean over positions, clustered by document.

    Args:
        numerators: float64 of shape (documents,), such as summed log-probabilities.
        denominators: float64 of shape (documents,), such as numbers of positions.

    Example:
        >>> ratio(np.array([2.0, 4.0]), np.array([1.0, 1.0]))[:2]
        (3.0, 1.0)
    """
    total = denominators.sum()
    if total == 0:
        return Estimate(math.nan, math.nan, np.zeros_like(numerators))
    value = float(numerators.sum() / total)
    return _from_influences(value, (numerators - value * denominators) / total, denominators > 0)


def document_mean(values: Floats) -> Estimate:
    """Mean over documents, each counting once; NaN marks documents without a value.

    Args:
        values: float64 of shape (documents,).
    """
    present = ~np.isnan(values)
    if not present.any():
        return Estimate(math.nan, math.nan, np.zeros_like(values))
    value = float(values[present].mean())
    influences = np.where(present, values - value, 0.0) / present.sum()
    return _from_influences(value, influences, present)


def exponential(estimate: Estimate) -> Estimate:
    """The exponential of an estimate, by the delta method."""
    # Overflow to infinity is the true answer for a model that has diverged, not a fault.
    with np.errstate(over="ignore", invalid="ignore"):
        slope = float(np.exp(estimate.value))
        return Estimate(slope, slope * estimate.standard_error, slope * estimate.influences)


def difference(left: Estimate, right: Estimate) -> Estimate:
    """Left minus right, both over the same documents, so that shared variation cancels."""
    influences = left.influences - right.influences
    return _from_influences(left.value - right.value, influences, influences != 0)


def _from_influences(value: float, influences: Floats, present: npt.NDArray[np.bool_]) -> Estimate:
    documents = int(present.sum())
    if documents < 2:
        # A difference of two exactly equal sides has no spread at all.
        error = 0.0 if documents == 0 else math.nan
    else:
        error = math.sqrt(documents / (documents - 1) * float(influences @ influences))
    return Estimate(value, error, influences)
