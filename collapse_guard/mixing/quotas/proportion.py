"""Splits a whole number in proportion to weights, between limits."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, pairwise


def split_in_proportion(
    total: int, weights: Sequence[Fraction | int], least: Sequence[int], most: Sequence[int]
) -> list[int]:
    """Split a number in proportion to weights, with limits on each share.

    Before rounding, share i is level x weights[i] moved into [least[i], most[i]], with the one
    level that makes the total come out. What a limit takes from one share so goes to the others
    in proportion. Rounding moves each share by less than one, and never past a limit.

    Args:
        total: Number to split, from sum(least) to sum(most).
        weights: Above 0.
        least: Smallest value of each share.
        most: Largest value of each share, not below the smallest.

    Returns:
        Whole numbers within the limits; their sum is `total`.

    Example:
        >>> split_in_proportion(12, [1, 1, 2], [0, 0, 0], [12, 12, 12])
        [3, 3, 6]
        >>> split_in_proportion(12, [1, 1, 2], [5, 0, 0], [12, 12, 4])
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


def split_draws(
    sizes: Sequence[int], weights: Sequence[Fraction], *, draws: int, max_repeats: int
) -> list[int]:
    """Split the draws of an epoch among strata in proportion to size x weight, under a cap.

    A row of stratum s is shown min(max_repeats, level x weights[s]) times on average, with the
    one level that makes the total come out. What the cap cuts off so raises the other strata
    alike, and exposure never falls from a stratum to one of more weight by more than what rounding
    to whole draws moves: less than one draw in a stratum.

    Args:
        sizes: Rows of each stratum, at least 0.
        weights: Relative exposure of its rows, at least 0.
        draws: Number to split, at most max_repeats x the rows whose weight is above 0.
        max_repeats: Most times that a row may be shown.

    Returns:
        Draws of each stratum; their sum is `draws`, and none exceeds size x max_repeats.

    Example:
        >>> split_draws([10, 10], [Fraction(1), Fraction(3)], draws=20, max_repeats=4)
        [5, 15]
        >>> split_draws([10, 10], [Fraction(1), Fraction(3)], draws=20, max_repeats=1)
        [10, 10]
    """
    shown = [s for s in range(len(sizes)) if sizes[s] and weights[s]]
    turns = [0] * len(sizes)
    shares = split_in_proportion(
        draws,
        [sizes[s] * weights[s] for s in shown],
        [0] * len(shown),
        [sizes[s] * max_repeats for s in shown],
    )
    for s, share in zip(shown, shares, strict=True):
        turns[s] = share
    return turns
