"""How many draws of an epoch each stratum gets."""

from collections.abc import Sequence
from fractions import Fraction

from collapse_guard.mixing.quotas.apportion import apportion


def boost_weights(num_strata: int, rare_boost: float) -> list[Fraction]:
    """Relative exposure of each stratum: 1 for the commonest, `rare_boost` for the rarest.

    Example:
        >>> [float(weight) for weight in boost_weights(3, 4.0)]
        [1.0, 2.5, 4.0]
    """
    step = (Fraction(rare_boost) - 1) / max(num_strata - 1, 1)
    return [1 + step * stratum for stratum in range(num_strata)]


def allocate(
    sizes: Sequence[int], weights: Sequence[Fraction], *, draws: int, max_repeats: int
) -> list[int]:
    """Share out the draws of an epoch in proportion to size x weight, under a cap.

    A row of stratum s is shown min(max_repeats, level x weights[s]) times on average, with the
    one level that makes the total come out. What the cap cuts off so raises the other strata
    alike, and exposure never falls from a stratum to one of more weight by more than what rounding
    to whole draws moves: less than one draw in a stratum.

    Args:
        sizes: Rows of each stratum, at least 0.
        weights: Relative exposure of its rows, at least 0.
        draws: Number to share out, at most max_repeats x the rows whose weight is above 0.
        max_repeats: Most times that a row may be shown.

    Returns:
        Draws of each stratum; their sum is `draws`, and none exceeds size x max_repeats.

    Example:
        >>> allocate([10, 10], [Fraction(1), Fraction(3)], draws=20, max_repeats=4)
        [5, 15]
        >>> allocate([10, 10], [Fraction(1), Fraction(3)], draws=20, max_repeats=1)
        [10, 10]
    """
    shown = [s for s in range(len(sizes)) if sizes[s] and weights[s]]
    turns = [0] * len(sizes)
    shares = apportion(
        draws,
        [sizes[s] * weights[s] for s in shown],
        [0] * len(shown),
        [sizes[s] * max_repeats for s in shown],
    )
    for s, share in zip(shown, shares, strict=True):
        turns[s] = share
    return turns
