"""Where exponentials leave what a float holds."""

import math

MOST_NATS = 700.0
"""The exponential of more is past what a float64 holds, or nearly so."""


def exp_or_infinity(nats: float) -> float:
    """The exponential; infinite where a float64 does not hold it.

    Example:
        >>> exp_or_infinity(0.0), exp_or_infinity(1e6)
        (1.0, inf)
    """
    return math.inf if nats >= MOST_NATS else math.exp(nats)
