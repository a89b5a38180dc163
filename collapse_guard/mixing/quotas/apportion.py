"""Shares a whole number out in proportion to weights, between limits."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, pairwise


def apportion(
    total: int, weights: Sequence[Fraction | int], least: Sequence[int], most: Sequence[int]
) -> list[int]:
    """Share out a number in proportion to weights, with limits on each share.

    Before rounding, share i is level x weights[i] moved into [least[i], most[i]], with the one
    level that makes the total come out. What a limit takes from one share so goes to the others
    in proportion. Rounding moves each share by less than one, and never past a limit.

    Args:
        total: Number to share out, from sum(least) to sum(most).
        weights: Above 0.
        least: Smallest value of each share.
        most: Largest value of each share, not below the smallest.

    Returns:
        Whole numbers within the limits; their sum is `total`.

    Example:
        >>> apportion(12, [1, 1, 2], [0, 0, 0], [12, 12, 12])
        [3, 3, 6]
        >>> apportion(12, [1, 1, 2], [5, 0, 0], [12, 12, 4])
        [5, 3, 4]
    """
    shares = [Fraction(0)] * len(weights)
    free, left = list(range(len(weights))), Fraction(total)
    while free:
        mass = sum(Fraction(weights[i]) for i in free)
        fair = {i: left * weights[i] / mass for i in free}
        for i in free:
            shares[i] = min(max(fair[i], Fraction(least[i])), Fraction(most[i]))
        moved = sum(shares[i] - fair[i] for i in free)
        # Where lower limits move more than upper ones, the level can only fall from here, and
        # what stands at a lower limit stays there; and the other way round.
        settled = [i for i in free if not moved or (shares[i] - fair[i]) * moved > 0]
        left -= sum(shares[i] for i in settled)
        free = [i for i in free if i not in settled]
    # Differences of rounded running sums: each share is rounded down or up, which whole limits
    # allow, and the total is kept without a remainder to hand out.
    ends = [int(end) for end in accumulate(shares, initial=Fraction(0))]
    return [end - start for start, end in pairwise(ends)]
