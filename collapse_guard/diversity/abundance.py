"""Estimators over counts of types: how many there are, how much they cover, how even they are.

All take int64 counts of any order, such as `HumanReference.counts`; zeros are left out. Ecology
calls them abundances, and the estimators come from there.
"""

import numpy as np
import numpy.typing as npt

from collapse_guard.diversity.corpus import Ints
from collapse_guard.errors import bad_argument

Floats = npt.NDArray[np.float64]

_LONGEST_PRODUCT = 1 << 20


def absence(counts: Ints, total: int, draws: float) -> Floats:
    """Probability that none of `draws` out of `total`, without replacement, is one of `counts`.

    C(total - c, draws) / C(total, draws) for each count c: the hypergeometric probability of 0. It
    is the product over j < c of 1 - draws / (total - j), summed as logarithms, so that rare types
    of very long texts keep all digits: a difference of log-gammas of 10^9 has none to spare. For
    draws that are no whole number it is the same product, which interpolates.

    Args:
        counts: int64 of shape (types,), each at most `total`.
        total: Everything that there is to draw.
        draws: From 0 to `total`.

    Returns:
        float64 of shape (types,).
    """
    longest = int(counts.max(initial=0))
    if float(draws).is_integer():
        longest = min(longest, _LONGEST_PRODUCT)
    logs = np.concatenate([np.zeros(1), np.cumsum(_log_factors(draws, total, longest))])
    probabilities: Floats = np.exp(logs[np.minimum(counts, longest)])
    # Draws and counts may change places, so that the longest product has a factor per draw.
    for place in np.flatnonzero((counts > longest) & (probabilities > 0)):
        probabilities[place] = np.exp(_log_factors(counts[place], total, int(draws)).sum())
    return probabilities


def _log_factors(share: float, total: int, factors: int) -> Floats:
    """log(1 - share / (total - j)) for j from 0 to `factors` - 1; -inf from the first 0 on."""
    with np.errstate(divide="ignore"):
        logs: Floats = np.log1p(-np.minimum(share / (total - np.arange(factors)), 1.0))
    return logs


def good_turing(counts: Ints) -> float:
    """Share of the population's tokens whose type was seen; `good_turing_coverage` of counts."""
    levels, types, total = _levels(counts)
    return float(1.0 - types[levels == 1].sum() / total)


def plug_in(counts: Ints) -> float:
    """Entropy of the observed shares in bits; `plug_in_entropy` of counts."""
    levels, types, total = _levels(counts)
    shares = levels / total
    # Adding 0.0 turns the -0.0 of a single type into 0.0.
    return float(-(types * shares) @ np.log2(shares)) + 0.0


def chao_shen(counts: Ints) -> float:
    """Entropy in bits, corrected for unseen types; `chao_shen_entropy` of counts."""
    levels, types, total = _levels(counts)
    singletons = float(types[levels == 1].sum())
    # All singletons would mean a coverage of 0 and no estimate: one fewer is the usual convention.
    coverage = 1.0 - min(singletons, total - 1) / total
    shares = coverage * levels / total
    with np.errstate(divide="ignore"):
        seen = -np.expm1(total * np.log1p(-shares))
    return float(-(types * shares / seen) @ np.log2(shares)) + 0.0


def _levels(counts: Ints) -> tuple[Ints, Ints, int]:
    """The distinct counts above 0, how many types have each, and the number of tokens."""
    positive = counts[counts > 0]
    if len(positive) == 0:
        raise bad_argument(
            "counts", expected="at least one token", given="none", hint="give it text"
        )
    types_by_count = np.bincount(positive) if int(positive.max()) < 1 << 24 else None
    if types_by_count is None:
        levels, types = np.unique(positive, return_counts=True)
    else:
        levels = np.flatnonzero(types_by_count)
        types = types_by_count[levels]
    return levels, types, int(positive.sum())
