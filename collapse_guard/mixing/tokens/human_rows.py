"""How many of an epoch's rows must be human, so that their tokens hold the floor."""

import math
from collections.abc import Callable
from fractions import Fraction

CLOSE_ENOUGH = 1000
"""One row of so many may be human beyond what is needed: each closer look is one more pass."""

_LOOKS = 4


def first_guess(floor: Fraction, slots: int, *, human: float, synthetic: float) -> int:
    """Human rows of an epoch where every row is as long as the mean of its kind.

    Args:
        floor: Least share of the tokens that is human.
        slots: Of the epoch.
        human: Tokens of a human row, on average, above 0; any number where there is none.
        synthetic: Likewise.

    Example:
        >>> first_guess(Fraction(1, 2), 100, human=30.0, synthetic=10.0)
        25
    """
    wanted, others = float(floor) * synthetic, float(1 - floor) * human
    return min(math.ceil(slots * wanted / (wanted + others)), slots)


def fewest_human_rows(
    ahead: Callable[[int], float], *, guess: int, per_row: float, least: int, most: int
) -> int | None:
    """Few human rows that suffice, to within a thousandth of all.

    More rows are not always more tokens, as other rows are drawn: what is found does suffice, but
    there need be none that suffices next to it.

    Args:
        ahead: How many tokens human rows are ahead of the floor, or behind it, in the epoch that
            has the fewest, where so many of an epoch's rows are human.
        guess: Where to begin.
        per_row: Tokens that a human row in place of a synthetic one adds to that, on average.
        least: The fewest that the sources allow.
        most: The most that they allow.

    Returns:
        None where even the most do not suffice.

    Example:
        >>> fewest_human_rows(lambda n: 3 * n - 20, guess=2, per_row=3.0, least=0, most=9)
        7
    """
    rows, short, step = min(max(guess, least), most), least - 1, 1
    while (over := ahead(rows)) < 0:
        if rows == most:
            return None
        # At least twice as far each time, so that few passes lead to any number.
        step = max(2 * step, math.ceil(-over / per_row))
        short, rows = rows, min(rows + step, most)
    for _ in range(_LOOKS):
        fewer = max(rows - math.floor(over / per_row), short + 1)
        if rows - fewer <= most // CLOSE_ENOUGH or fewer >= rows:
            break
        left = ahead(fewer)
        if left < 0:
            short = fewer
            fewer = (fewer + rows) // 2
            if fewer in (short, rows) or (left := ahead(fewer)) < 0:
                break
        rows, over = fewer, left
    return rows
