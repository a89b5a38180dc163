"""How much new a row says per symbol: entropy rates by match lengths, without a model."""

import numpy as np
import numpy.typing as npt

from collapse_guard.diversity.ngrams import run_lengths, run_starts, sort
from collapse_guard.human_text.token_rows import TokenRows

Ids = npt.NDArray[np.int64]

_LARGEST = int(np.iinfo(np.int64).max)


def match_lengths(rows: TokenRows) -> Ids:
    """How long what begins at each symbol must get to be new to its row.

    One more than the length of the longest run of symbols that begins there and stands, whole,
    somewhere before it in the row. A run that reaches the row's end is taken as if it ended there.

    Args:
        rows: Symbols: token ids, or bytes.

    Returns:
        int64 of shape (symbols,), at least 1, in the order of the rows.

    Example:
        >>> match_lengths(TokenRows.of([[1, 2, 1, 2, 1, 3]])).tolist()
        [1, 1, 3, 3, 2, 1]
    """
    ids, lengths = rows
    longest = np.ones(len(ids), dtype=np.int64)
    row_ends = np.repeat(np.cumsum(lengths), lengths)
    # Places that begin with the same `length` symbols of one row make a group. Groups of one match
    # nothing, however much longer one looks; so each round looks at fewer places than the last.
    places = np.arange(len(ids))
    groups = np.repeat(np.arange(len(lengths)), lengths)
    lowest = min(int(ids.min(initial=0)), 0)
    shifted, base = ids - lowest, int(ids.max(initial=0)) + 1 - lowest
    length = 0
    while len(places):
        inside = places + length < row_ends[places]
        places, groups = places[inside], groups[inside]
        groups, order = _regroup(groups, shifted[places + length], base)
        places = places[order]
        length += 1
        starts = run_starts(groups)
        sizes = run_lengths(starts, len(groups))
        # The sort is stable, so that a group's first place is its earliest.
        behind = places - np.repeat(places[starts], sizes)
        longest[places[behind >= length]] = length + 1
        # A group whose last place overlaps its first will not match when it is longer either.
        wide = behind[starts + sizes - 1] > length if len(starts) else np.zeros(0, dtype=bool)
        kept = np.repeat(wide, sizes)
        places, groups = places[kept], groups[kept]
    return longest


def entropy_rates(rows: TokenRows) -> npt.NDArray[np.float64]:
    """The entropy rate of each row, in bits per symbol.

    `[mean over i of L_i / log2(i + 1)]^-1`, where i symbols stand before a place, L_i is its
    `match_lengths` and i runs from 1: Kontoyiannis, Algoet, Suhov and Wyner 1998 (IEEE
    Transactions on Information Theory 44(3), "Nonparametric entropy estimation for stationary
    processes and random fields, with applications to English text"), with a window that grows. It
    needs no model and no alphabet, and finds the entropy rate of any source of finite memory.

    It does so slowly and from below where the rate is low: a fair coin reads 0.83 bits after 100
    throws, 0.90 after 10,000, 0.92 after 100,000; and n symbols that are all new read about
    log2(n) - 1.5, whatever the source. So rates of rows of other lengths, or of other kinds of
    symbols, do not compare: `EntropyRateBand` compares like with like.

    Args:
        rows: Symbols.

    Returns:
        float64 of shape (rows,); NaN for rows of fewer than two symbols.

    Example:
        >>> loop, coins = [1, 2] * 500, np.random.default_rng(0).integers(0, 2, 1000)
        >>> entropy_rates(TokenRows.of([loop, coins.tolist(), [1]])).round(2).tolist()
        [0.03, 0.87, nan]
    """
    lengths = rows.lengths
    before = np.arange(len(rows.ids)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    counted = before > 0
    owners = np.repeat(np.arange(len(lengths)), lengths)[counted]
    relative = match_lengths(rows)[counted] / np.log2(before[counted] + 1)
    sums = np.bincount(owners, weights=relative, minlength=len(lengths))
    rates = np.full(len(lengths), np.nan)
    known = lengths > 1
    rates[known] = (lengths[known] - 1) / sums[known]
    return rates


def _regroup(groups: Ids, symbols: Ids, base: int) -> tuple[Ids, Ids]:
    """Groups split by one more symbol, numbered anew and in rising order, and that order."""
    num_groups = int(groups.max(initial=0)) + 1
    if num_groups * base > _LARGEST:
        different, symbols = np.unique(symbols, return_inverse=True)
        base = len(different)
    bound = num_groups * base
    ordered, order = sort(groups * base + symbols, bound)
    starts = run_starts(ordered)
    sizes = run_lengths(starts, len(ordered))
    return np.repeat(np.arange(len(starts)), sizes), order
