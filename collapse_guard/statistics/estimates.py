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
        units: How many documents of equal weight it is worth: (sum of weights)^2 / sum of squared
            weights (Kish 1965, Survey Sampling, section 11.7).
    """

    value: float
    standard_error: float
    influences: Floats
    units: float


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
        return Estimate(math.nan, math.nan, np.zeros_like(numerators), 0.0)
    value = float(numerators.sum() / total)
    return _from_influences(value, (numerators - value * denominators) / total, denominators)


def share(parts: Floats, wholes: Floats) -> Estimate:
    """As `ratio` of counts; nothing is a share of 0, and surely, where there is nothing at all.

    Args:
        parts: float64 of shape (documents,), of each document's whole.
        wholes: float64 of shape (documents,), at least 0.

    Example:
        >>> share(np.zeros(2), np.zeros(2))[:2]
        (0.0, 0.0)
    """
    if not wholes.any():
        return Estimate(0.0, 0.0, np.zeros_like(parts), float(len(parts)))
    return ratio(parts, wholes)


def document_mean(values: Floats, weights: Floats | None = None) -> Estimate:
    """Mean over documents; NaN marks documents without a value.

    Args:
        values: float64 of shape (documents,).
        weights: float64 of shape (documents,), at least 0: how much each document counts. None to
            let each count once.
    """
    weights = np.ones_like(values) if weights is None else weights
    weights = np.where(np.isnan(values), 0.0, weights)
    total = weights.sum()
    if total == 0:
        return Estimate(math.nan, math.nan, np.zeros_like(values), 0.0)
    known = np.where(weights > 0, values, 0.0)
    value = float(known @ weights / total)
    return _from_influences(value, weights * (known - value) / total, weights)


def document_means(sums: Floats, positions: Floats, weights: Floats | None = None) -> Estimate:
    """Mean over documents of each one's mean; a document without positions drops out.

    Args:
        sums: float64 of shape (documents,).
        positions: float64 of shape (documents,), how many each sum is over.
        weights: float64 of shape (documents,), how much each document counts; None for once each.
    """
    means = np.full_like(sums, np.nan)
    np.divide(sums, positions, out=means, where=positions > 0)
    return document_mean(means, weights)


def moved_on(estimate: Estimate, movement: Estimate, *, is_logarithm: bool) -> Estimate:
    """What an estimate has become, given how far it, or its logarithm, has moved since.

    Args:
        estimate: As it was.
        movement: How far it has moved, over the same documents or fewer.
        is_logarithm: Whether `movement` is that of its logarithm.
    """
    if is_logarithm:
        return exponential(total(logarithm(estimate), movement))
    return total(estimate, movement)


def exponential(estimate: Estimate) -> Estimate:
    """The exponential of an estimate, by the delta method."""
    # Overflow to infinity is the true answer for a model that has diverged, not a fault.
    with np.errstate(over="ignore", invalid="ignore"):
        slope = float(np.exp(estimate.value))
        return Estimate(
            slope, slope * estimate.standard_error, slope * estimate.influences, estimate.units
        )


def logarithm(estimate: Estimate) -> Estimate:
    """The natural logarithm of an estimate, by the delta method; NaN where it is not above 0."""
    if not estimate.value > 0:
        return Estimate(math.nan, math.nan, np.zeros_like(estimate.influences), estimate.units)
    return Estimate(
        math.log(estimate.value),
        estimate.standard_error / estimate.value,
        estimate.influences / estimate.value,
        estimate.units,
    )


def scaled(estimate: Estimate, factor: float) -> Estimate:
    """A multiple of an estimate."""
    return Estimate(
        factor * estimate.value,
        abs(factor) * estimate.standard_error,
        factor * estimate.influences,
        estimate.units,
    )


def total(left: Estimate, right: Estimate) -> Estimate:
    """Left plus right over the same documents, of which fewer may take part in one of the two.

    Each side's influences are brought to its own standard error before they are added, document by
    document. What is known of the sum's error is no more than of the side with fewer documents.
    """
    sides = [
        side.influences * (side.standard_error / norm if norm else 0.0)
        for side in (left, right)
        for norm in (float(np.linalg.norm(side.influences)),)
    ]
    unknown = math.isnan(left.standard_error) or math.isnan(right.standard_error)
    influences = sides[0] + sides[1]
    error = math.nan if unknown else float(np.linalg.norm(influences))
    return Estimate(left.value + right.value, error, influences, min(left.units, right.units))


def difference(left: Estimate, right: Estimate) -> Estimate:
    """Left minus right; where both are over the same documents, shared variation cancels.

    Where documents are not told (`influences` of other sizes, or none), the two count as
    independent of each other.
    """
    value, units = left.value - right.value, min(left.units, right.units)
    if len(left.influences) != len(right.influences) or not len(left.influences):
        error = math.hypot(left.standard_error, right.standard_error)
        return Estimate(value, error, np.zeros(0), units)
    influences = left.influences - right.influences
    if math.isnan(left.standard_error) or math.isnan(right.standard_error):
        return Estimate(value, math.nan, influences, units)
    documents = int(np.count_nonzero(influences))
    return Estimate(value, _spread(influences, documents), influences, units)


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


def _from_influences(value: float, influences: Floats, weights: Floats) -> Estimate:
    units = float(weights.sum() ** 2 / (weights @ weights))
    return Estimate(value, _spread(influences, int(np.count_nonzero(weights))), influences, units)


def _spread(influences: Floats, documents: int) -> float:
    if documents < 2:
        # A difference of two exactly equal sides has no spread at all.
        return 0.0 if documents == 0 else math.nan
    return math.sqrt(documents / (documents - 1) * float(influences @ influences))
