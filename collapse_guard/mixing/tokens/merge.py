"""Merges the human and the synthetic rows of an epoch, so that tokens keep their share."""

from typing import Any

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.integer[Any]]
"""Trained tokens of each row, in the order in which the rows of one kind are shown."""

MOST_TOKENS = 2**60
"""Tokens that an epoch may have: what is scaled fits into int64."""


def merge(human: Tokens, synthetic: Tokens) -> npt.NDArray[np.bool_]:
    """Where the human rows of an epoch stand among the synthetic ones.

    Let H and S be the tokens of all human and of all synthetic rows, F = H / (H + S) the human
    share, and h(t) and s(t) the tokens of the first t slots. The *balance* is
    d(t) = (1 - F) h(t) - F s(t): what human tokens are ahead of their share. A slot shows the next
    synthetic row as soon as that leaves d at 0 or above, and the next human row otherwise. So:

    * d(t) >= 0 everywhere, and d = 0 at both ends. Synthetic rows are only shown where that holds;
      once the human ones are used up, it holds for all that are left, since d ends at
      (1 - F) H - F S = 0 and only falls on the way there.
    * d(t) < F a + (1 - F) b <= L, where a is the longest synthetic row, b the longest human one
      and L the longer of both (or d = 0 throughout, where no row has a token). A synthetic row
      lowers d. A human one is shown only where d < F a, the next synthetic row being too long, and
      raises it by (1 - F) b at most. Without a synthetic row left, d = 0 and what is left is empty.

    Rows t to u of the epoch hold x human tokens of y in all, with x - F y = d(u) - d(t) > -L: the
    share F of the tokens of *any* consecutive rows, less one longest row. Across epochs it is
    -d(t) at the beginning of the window, 0 for each whole epoch and d(u) >= 0 at its end: the same,
    with the smallest share among the epochs, as far as they run and where a loader runs on from the
    end of the stream into its beginning.

    Args:
        human: Integers of shape (m,), at least 0.
        synthetic: Integers of shape (n,), at least 0.

    Returns:
        bool of shape (m + n,), which slots show a human row.

    Example:
        >>> merge(np.array([4, 4]), np.array([1, 2, 1, 8])).tolist()
        [True, False, False, False, True, False]
    """
    human_before = np.concatenate([[0], np.cumsum(human, dtype=np.int64)])
    synthetic_until = np.cumsum(synthetic, dtype=np.int64)
    every = int(synthetic_until[-1]) if len(synthetic) else 0
    needed = _scaled_up(synthetic_until, int(human_before[-1]), every)
    # d >= 0 after a synthetic row where the human tokens before it are at least `needed`.
    rows_before = np.searchsorted(human_before, needed, side="left")
    is_human = np.ones(len(human) + len(synthetic), dtype=np.bool_)
    is_human[np.arange(len(synthetic)) + rows_before] = False
    return is_human


def _scaled_up(
    numbers: npt.NDArray[np.int64], numerator: int, denominator: int
) -> npt.NDArray[np.int64]:
    """ceil(numbers x numerator / denominator) without an overflow: long division, by digits.

    Args:
        numbers: int64 of any shape, from 0 to `denominator`.
        numerator: From 0 to `MOST_TOKENS`.
        denominator: Likewise; where it is 0, all numbers are.
    """
    if not denominator:
        return np.zeros_like(numbers)
    largest = max(numerator, denominator)
    bits = 62 - largest.bit_length()
    digits = -(-denominator.bit_length() // bits)
    quotients, rests = np.zeros_like(numbers), np.zeros_like(numbers)
    for place in reversed(range(digits)):
        digit = (numbers >> (place * bits)) & ((1 << bits) - 1)
        rests = (rests << bits) + digit * numerator
        ahead, rests = np.divmod(rests, denominator)
        quotients = (quotients << bits) + ahead
    return quotients + (rests > 0)
