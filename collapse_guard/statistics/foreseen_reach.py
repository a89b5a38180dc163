"""What `SupremumBoundary` will ask for at a later look, told before anything is looked at."""

from statistics import NormalDist

from collapse_guard.statistics.confidence_sequence import check_alpha, half_width
from collapse_guard.statistics.student import student_reach
from collapse_guard.statistics.supremum_boundary import FEWEST_CROSSINGS, MULTIPLIERS, WIDENED

LOOKS = 100
"""The look that is foreseen."""

WANDERING, FEW = 1.05, 2.0
"""What 100 looks ask for beyond one, in standard errors, and over the documents: how much more few
documents do. Fitted to boundaries of 8 to 300 documents that differ by 0.2 for good and by 0.1 for
some 50 looks, as those of a full fine-tuning do, and for `alpha` from 0.01 to 0.2."""


def foreseen_reach(alpha: float, units: float, *, at_same: bool = True) -> float:
    """How many standard errors past its limit an estimate has to be at the 100th look.

    Within a tenth of the boundary's median for 10 documents or more and an `alpha` of 0.01 or more,
    where it is drawn for looks that are correlated as those of real runs are; above it for a
    smaller `alpha`, by up to a fifth.

    Args:
        alpha: Of the rule, in (0, 1).
        units: Documents of equal weight that the estimate is over.
        at_same: Whether looks are known to see the same documents; else it is the union bound.

    Returns:
        In standard errors of the estimate; infinite for a single document.

    Raises:
        ArgumentError: `alpha` is out of range.

    Example:
        >>> round(foreseen_reach(0.01, 100), 1), round(foreseen_reach(0.01, 30), 1)
        (3.5, 3.9)
    """
    check_alpha(alpha)
    if not at_same or alpha * 2 * MULTIPLIERS < FEWEST_CROSSINGS:
        return half_width(1.0, units, alpha=alpha, look=LOOKS)
    if units <= 1.0:
        return float("inf")
    degrees = units - 1.0
    one_look = NormalDist().inv_cdf(1.0 - alpha)
    # One that may always be wrong would ask for less than nothing.
    normal = max(one_look + WANDERING + FEW / units, 0.0)
    return student_reach(normal, degrees) * (1.0 + WIDENED / degrees)
