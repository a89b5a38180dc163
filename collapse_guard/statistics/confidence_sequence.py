"""Confidence sequences: intervals that hold at all looks of a run together.

An ordinary interval is for one look. Looked at after every step, one of 99% ends up past any limit
by chance alone. Two steps make intervals that may be looked at as often as one likes:

* **One look.** Let n documents contribute independent normal errors of unknown spread. Their
  direction is then uniform on the sphere in n dimensions, and a sum of n standard-error units T is
  the cap of that sphere where the first coordinate exceeds sqrt(x), x = T^2 / (T^2 + n - 1). A cap
  has at most half (1 - x)^((n - 1) / 2) of the sphere for x >= 1 / n (Brieden, Gritzmann, Kannan,
  Klee, Lovasz and Simonovits 2001, Mathematika 48, lemma 4.1), so that
  P(T >= sqrt((n - 1) ((2 a)^(-2 / (n - 1)) - 1))) <= a: the tail of Student's t in closed form,
  slightly on the safe side. It needs normality of the *documents'* contributions, means over many
  tokens each, and is near to that of any symmetric ones (Efron 1969, JASA 64(328)).
* **All looks.** Look k may be wrong with probability a_k, and these add up to at most alpha (the
  union bound). Looks at one panel share its documents, so that no later look is new evidence
  against the panel's own accident: a bound that asks nothing of how looks depend on each other is
  the one that holds. Early looks get more than late ones, and the price grows slowly: for
  alpha = 0.01 and many documents T is 3.1 at the first look, 5.6 at the 2,000th, 6.3 at the
  50,000th.
"""

import math

from collapse_guard.errors import bad_argument


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
        0.031
        >>> half_width(0.01, 1, alpha=0.01, look=1)
        inf
    """
    # The cap's bound begins at one standard error.
    exponent = max(-2.0 * math.log(2.0 * spending(alpha, look)), 1.0)
    if units <= 1.0:
        return math.inf
    if math.isinf(units):
        return standard_error * math.sqrt(exponent)
    degrees = units - 1.0
    # A handful of documents at a late look: past what a float holds is past any limit.
    grown = math.expm1(exponent / degrees) if exponent / degrees < 700.0 else math.inf
    return standard_error * math.sqrt(degrees * grown)


def check_alpha(alpha: float) -> None:
    """Refuse what is no probability of error.

    Args:
        alpha: What should be above 0 and below 1.

    Raises:
        ArgumentError: It is not.
    """
    if not 0.0 < alpha < 1.0:
        raise bad_argument(
            "alpha",
            expected="a probability above 0 and below 1",
            given=alpha,
            hint="0.01 lets one healthy run in a hundred raise a false alarm",
        )
