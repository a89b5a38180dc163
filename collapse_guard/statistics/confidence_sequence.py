"""Confidence sequences: intervals that hold at all looks of a run together.

An ordinary interval is for one look. Looked at after every step, one of 99% ends up past any limit
by chance alone. Two steps make intervals that may be looked at as often as one likes:

* **One look.** The sum of what documents contribute, in standard errors, has the tail of Student's
  t with a degree of freedom less than there are documents, in closed form (`student_reach`). It
  needs normality of the *documents'* contributions, means over many tokens each, and is near to
  that of any symmetric ones (Efron 1969, JASA 64(328)).
* **All looks.** Look k may be wrong with probability a_k, and these add up to at most alpha (the
  union bound), which asks nothing of how looks depend on each other. Early looks get more than late
  ones, and the price grows slowly: for alpha = 0.01 and many documents it is 2.7 standard errors at
  the first look, 5.2 at the 2,000th, 5.9 at the 50,000th. It is for looks of which nothing more is
  known; what looks have in common, documents or blocks of rows, makes it shorter
  (`supremum_boundary`).
"""

import math
from statistics import NormalDist

import numpy as np

from collapse_guard.errors import bad_argument
from collapse_guard.statistics.student import student_reach


def spending(alpha: float, look: int) -> float:
    """The probability of error that the `look`-th look may use up.

    alpha (1 / log2(k + 1) - 1 / log2(k + 2)) at look k: a sum that telescopes to alpha.

    Args:
        alpha: Probability of error over all looks together, in (0, 1).
        look: Counted from 1.

    Raises:
        ArgumentError: Either is out of range.

    Example:
        >>> round(sum(spending(0.01, look) for look in range(1, 100_001)), 4)
        0.0094
    """
    check_alpha(alpha)
    if look < 1:
        raise bad_argument("look", expected="at least 1", given=look, hint="count looks from 1")
    # Not the difference itself: late looks would lose all their digits.
    return alpha * math.log2((look + 2) / (look + 1)) / (math.log2(look + 1) * math.log2(look + 2))


def half_width(standard_error: float, units: float, *, alpha: float, look: int) -> float:
    """How far a one-sided confidence sequence reaches from an estimate.

    Args:
        standard_error: Of the estimate, at least 0, with the n / (n - 1) of `estimates`.
        units: n, the documents that it is over; where they have weights, Kish's effective number;
            infinite where the standard error is exact.
        alpha: Probability that the sequence misses on this side at any look, in (0, 1).
        look: Which look this is, counted from 1.

    Returns:
        In the estimate's unit; infinite for a single document.

    Raises:
        ArgumentError: `alpha` or `look` is out of range.

    Example:
        >>> round(half_width(0.01, 1000, alpha=0.01, look=1), 3)
        0.027
        >>> half_width(0.01, 1, alpha=0.01, look=1)
        inf
    """
    normal = -NormalDist().inv_cdf(spending(alpha, look))
    reach = student_reach(normal, units - 1.0)
    return standard_error * reach if math.isfinite(reach) else math.inf


def check_alpha(alpha: float) -> None:
    """Refuse what is no probability of error.

    Args:
        alpha: What should be above 0 and below 1.

    Raises:
        ArgumentError: It is not.
    """
    if not isinstance(alpha, int | float | np.floating) or not 0.0 < alpha < 1.0:
        raise bad_argument(
            "alpha",
            expected="a probability above 0 and below 1",
            given=alpha,
            hint="0.01 lets one healthy run in a hundred raise a false alarm",
        )
