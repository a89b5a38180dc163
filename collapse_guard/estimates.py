"""Estimates over documents, each with its standard error.

Documents are what is drawn at random when a held-out set is made, so they are the unit of every
standard error; tokens of one document vary together, and counting them as independent would make
errors several times too small. Errors are linearised (the delta method): each estimate is written
as a sum of one influence per document, and n/(n-1) corrects for small n (Taylor series
linearisation of ratio and cluster estimators: Wolter, Introduction to Variance Estimation, 2nd ed.,
2007, chapter 6).
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from collapse_guard.errors import bad_argument

T = TypeVar("T")

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


def jackknife(
    statistic: Callable[[Sequence[T]], float], units: Sequence[T], *, groups: int = 20
) -> tuple[float, float]:
    """Any statistic and its standard error over what was drawn, by leaving groups out.

    The delete-a-group jackknife, with pseudo-values for groups of unequal size (Busing, Meijer and
    van der Leeden 1999, Statistics and Computing 9(1)): with h = units / units in group g, S of all
    units and S_g of all but that group, the pseudo-value of g is h S - (h - 1) S_g, and the
    variance is their mean squared deviation over h - 1. For G groups of one size that is
    (G - 1) / G times the sum of (S_g - mean S)^2, and a bias that depends on the number of units
    alone drops out.

    It is for statistics without a sum of influences, such as counts of types; where there is one,
    `ratio` and `document_mean` are exact and cheaper. The error is too large rather than too small
    on average (Efron and Stein 1981, Annals of Statistics 9(3)), and is itself known to about
    1 / sqrt(2 (G - 1)): 16 per cent for 20 groups.

    The statistic must use all that it is given. One that looks at a first budget of tokens takes
    that from what it is given, and the units are then only those of the budget: a budget that stays
    the same would pull in fresh documents for those left out.

    Args:
        statistic: Of a sequence of units; called once for all of them and once per group.
        units: What was drawn at random: documents, or the samples of a prompt as one unit.
        groups: G, at least 2; unit i belongs to group i mod G. Fewer units make as many groups.

    Returns:
        The statistic of all units, and its standard error: NaN for a single unit.

    Raises:
        ArgumentError: No unit, or fewer than 2 groups.

    Example:
        >>> jackknife(lambda numbers: sum(numbers) / len(numbers), [1.0, 2.0, 3.0])
        (2.0, 0.5773502691896257)
    """
    if groups < 2:
        raise bad_argument("groups", expected="at least 2", given=groups, hint="20 is usual")
    if len(units) == 0:
        raise bad_argument("units", expected="at least one", given=0, hint="give it documents")
    value = float(statistic(units))
    groups = min(groups, len(units))
    if groups < 2:
        return value, math.nan
    without = np.array(
        [
            statistic([unit for place, unit in enumerate(units) if place % groups != group])
            for group in range(groups)
        ]
    )
    shares = len(units) / np.bincount(np.arange(len(units)) % groups)
    # Written around the value: its multiple would cost the digits that the deviations need.
    pseudo = (shares - 1) * (value - without)
    deviations = pseudo - (value - without).sum() + (value - without) @ (1 / shares)
    return value, math.sqrt(float(np.mean(deviations**2 / (shares - 1))))


def _from_influences(value: float, influences: Floats, present: npt.NDArray[np.bool_]) -> Estimate:
    documents = int(present.sum())
    if documents < 2:
        # A difference of two exactly equal sides has no spread at all.
        error = 0.0 if documents == 0 else math.nan
    else:
        error = math.sqrt(documents / (documents - 1) * float(influences @ influences))
    return Estimate(value, error, influences)
