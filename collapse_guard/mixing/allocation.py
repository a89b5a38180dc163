"""How many draws of an epoch each stratum gets."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, pairwise


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
    alike, and exposure never falls from a stratum to a rarer one by more than what rounding to
    whole draws moves: less than one draw in a stratum.

    Args:
        sizes: Rows of each stratum, at least 1.
        weights: Relative exposure of its rows, above 0 and never falling.
        draws: Number to share out, at most sum(sizes) x max_repeats.
        max_repeats: Most times that a row may be shown.

    Returns:
        Draws of each stratum; their sum is `draws`, and none exceeds size x max_repeats.

    Example:
        >>> allocate([10, 10], [Fraction(1), Fraction(3)], draws=20, max_repeats=4)
        [5, 15]
        >>> allocate([10, 10], [Fraction(1), Fraction(3)], draws=20, max_repeats=1)
        [10, 10]
    """
    wanted = [Fraction(0)] * len(sizes)
    left = Fraction(draws)
    # The cap binds on the heaviest strata first, and what it leaves goes to those before them.
    for stratum in reversed(range(len(sizes))):
        mass = sum(n * w for n, w in zip(sizes[: stratum + 1], weights, strict=False))
        fair = left * sizes[stratum] * weights[stratum] / mass
        wanted[stratum] = min(fair, Fraction(sizes[stratum] * max_repeats))
        left -= wanted[stratum]
    # Differences of rounded running sums: each is its target rounded down or up, and the total is
    # kept without a remainder to hand out.
    ends = [int(end) for end in accumulate(wanted, initial=Fraction(0))]
    return [end - start for start, end in pairwise(ends)]
