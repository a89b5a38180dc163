"""How far past a limit is past chance, for a rule that looks at the same documents all along.

Chance draws the documents of a panel, once. Given the training run, looking again draws nothing
new: what is to be bounded is the probability, over draws of the panel, that the interval misses at
*any* look, and looks that see the same documents miss together. The union bound of
`confidence_sequence` pays for each look as if it were drawn afresh; this one asks what the largest
of all looks does.

It draws what the panel might have been (the multiplier bootstrap of a supremum: Chernozhukov,
Chetverikov and Kato 2013, Annals of Statistics 41(6)). With z_i the contribution of document i to
the error of a look, and w_bi normal numbers that are drawn once for each document, the b-th draw
stands at T_b = sum_i w_bi z_i / sqrt(sum_i z_i^2) standard errors. Draws are correlated from look
to look as documents are. A share `alpha` of them may ever cross the boundary, so much of it by the
k-th look as `spending` allows (Lan and DeMets 1983, Biometrika 70(3)).

Where the boundary lies at a look is told before the draws are: with r the correlation of this look
with the last one, a draw that has not crossed yet and stood at T' crosses c with the probability
that a normal variable passes (c - r T') / sqrt(1 - r^2). The mean of these over all draws is smooth
in c: shares far smaller than one draw can be spent at a look. The largest draw itself would not do:
of n draws the panel is beyond all with probability 1 / (n + 1), at each look anew.

With few documents an estimate's standard error is itself a matter of chance, and much the same one
at all looks: each draw has a standard error of its own, off by the root of a chi-squared variable
over its degrees of freedom, which are one less than there are documents. So the boundary is that of
a multivariate t.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.statistics.confidence_sequence import check_alpha, half_width, spending
from collapse_guard.statistics.estimates import Estimate
from collapse_guard.statistics.json_forms import Part, RestoredWhole

MULTIPLIERS = 8192
"""Draws of a panel; each stands for its mirror image too.

With a quarter of them a boundary fits its own draws better than others: of fresh panels 1.4% cross
where 1% is asked for.
"""

MOST_GROUPS = 256
"""Documents are added up in so many groups, at random, where there are more."""

PRODUCTS = 128
"""Of projections, that tell how standard errors are correlated from look to look."""

WIDENED = 0.5
"""Over the degrees of freedom: how much wider the boundary is than the draws ask for.

A multivariate t is not all that few documents do: without it 10 of them come to 1.3% where 1% is
asked for, in 12,000 simulated runs of 1,000 looks, and 100 to 1%.
"""

FEWEST_DOCUMENTS = 5
"""With fewer a boundary allows for so much chance that what is held against it hardly ever crosses:
with 5 it is past 5 standard errors at the first look, and may be near 40 at the 100th."""

FEWEST_CROSSINGS = 10
"""Below so many draws that may cross, what they say of `alpha` is too rough."""

HIGHEST, PRECISION, FARTHEST, MARGIN = 1e4, 1e-3, 4.5, 0.2
"""No boundary is above, nor told more finely; no draw moves farther, in its spread's sqrt(2)."""

Contributions = npt.NDArray[np.float32]


class SupremumBoundary(RestoredWhole):
    """How many standard errors an estimate must be past a limit, look after look.

    Where the documents' contributions are not known, or `alpha` is below 0.0006, it is the union
    bound over looks (`half_width`).

    Args:
        alpha: Probability that an estimate whose truth is at the limit ever passes the boundary, in
            (0, 1).
        seed: Of the draws: the same for all rules of a panel.

    Raises:
        ArgumentError: `alpha` is out of range.

    Example:
        >>> from collapse_guard.statistics.estimates import document_mean
        >>> documents = np.random.default_rng(0).normal(0.0, 0.2, 100)
        >>> excess = document_mean(documents)
        >>> boundary, wide = SupremumBoundary(0.01), [half_width(1.0, 100, alpha=0.01, look=400)]
        >>> reach = [boundary.next(excess) for look in range(400)]
        >>> round(reach[0], 1), round(reach[-1], 1), round(wide[0], 1)
        (2.7, 2.4, 5.2)
    """

    def __init__(self, alpha: float, *, seed: int = 0) -> None:
        check_alpha(alpha)
        self._alpha, self._seed = alpha, seed
        self._looks, self._left = 0, 0.0
        self._crossed = np.zeros(2 * MULTIPLIERS, dtype=bool)
        self._before: Contributions | None = None
        self._stood = np.zeros(2 * MULTIPLIERS, np.float32)
        self._boundary = 3.0

    def next(self, excess: Estimate) -> float:
        """The boundary at the next look, in standard errors of this estimate; at least 0.

        Args:
            excess: How far the reading is past its limit. Contributions (`influences`) are to be of
                the same documents in the same order at each look; those of another number of them
                are taken for independent of the last.
        """
        self._looks += 1
        norm = float(np.linalg.norm(excess.influences)) if len(excess.influences) else 0.0
        few = self._alpha * len(self._crossed) < FEWEST_CROSSINGS
        if few or not 0.0 < norm < math.inf:
            return half_width(1.0, excess.units, alpha=self._alpha, look=self._looks)
        if excess.units <= 1.0:
            return math.inf
        self._left += spending(self._alpha, self._looks)
        return self._spend(_in_groups(excess.influences), excess.units - 1.0)

    def _spend(self, now: Contributions, degrees: float) -> float:
        expected, spread = np.zeros(len(self._crossed), np.float32), 1.0
        # Of other documents, as those of a state may be, nothing is known: they are as good as new.
        if self._before is not None and len(self._before) == len(now):
            correlation = _cosine(now, self._before)
            expected = correlation * self._stood
            # Never 0: looks that see the same are told apart by less than a float holds.
            spread = math.sqrt(max(1.0 - correlation**2, 1e-9))
        expected[self._crossed] = -math.inf
        errors = _standard_errors(self._seed, degrees, now)
        boundary, spent = _crossed_by(expected, spread, errors, self._left, self._boundary)
        self._left -= spent
        self._before, self._stood = now, self._drawn(now)
        self._crossed |= self._stood > boundary * errors
        self._boundary = min(boundary, HIGHEST)
        return boundary * (1.0 + WIDENED / degrees)

    def _drawn(self, contributions: Contributions) -> Contributions:
        half = _multipliers(self._seed, len(contributions)) @ contributions
        return np.concatenate([half, -half])

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, in plain JSON types: which draws crossed, and the last look."""
        return {
            "looks": self._looks,
            "left": self._left,
            "boundary": self._boundary,
            "crossed": np.flatnonzero(self._crossed).tolist(),
            "before": None if self._before is None else self._before.tolist(),
        }

    def restoring(self, state: Part) -> Callable[[], None]:
        """As `RestoredWhole.restoring`."""
        parts = state.keys("looks", "left", "boundary", "crossed", "before")
        looks, left = parts["looks"].whole(), parts["left"].number(least=0.0, most=1.0)
        boundary = parts["boundary"].number(least=0.0, most=HIGHEST)
        crossed = parts["crossed"].wholes(most=len(self._crossed) - 1)
        parts["crossed"].check(bool((np.diff(crossed) > 0).all()), "draws in rising order")
        before = None if parts["before"].value is None else _unit_vector(parts["before"])
        parts["before"].check(
            looks > 0 if before is not None else not len(crossed),
            "the contributions of the last look, and none before there was one",
        )

        def restore() -> None:
            self._looks, self._left, self._boundary = looks, left, boundary
            self._crossed = np.zeros(2 * MULTIPLIERS, dtype=bool)
            self._crossed[crossed] = True
            self._before, self._stood = before, np.zeros(2 * MULTIPLIERS, np.float32)
            if before is not None:
                self._stood = self._drawn(before)

        return restore


def _unit_vector(state: Part) -> Contributions:
    """What a state says of the contributions of a look, which have a norm of 1."""
    before = state.numbers(-1, least=-1.0, most=1.0).astype(np.float32)
    is_whole = len(before) <= MOST_GROUPS and abs(float(np.linalg.norm(before)) - 1.0) < 1e-4
    state.check(is_whole, f"contributions of at most {MOST_GROUPS} groups, of norm 1")
    return before


def _cosine(now: Contributions, before: Contributions) -> float:
    # With the rounding of float32, which differs from processor to processor, a look that sees the
    # same as the last one would seem to see something else.
    one, other = now.astype(np.float64), before.astype(np.float64)
    return min(float(one @ other) / math.sqrt(float(one @ one) * float(other @ other)), 1.0)


def _crossed_by(
    expected: Contributions, spread: float, errors: Contributions, share: float, near: float
) -> tuple[float, float]:
    """The lowest boundary that at most `share` of the draws cross, and what share does.

    Args:
        expected: float32 of shape (draws,), where each is expected.
        spread: How far it is from there.
        errors: float32 of shape (draws,), the standard error of each.
        share: Of all draws.
        near: Where the boundary may be.
    """

    def crossing(boundary: float) -> float:
        distance = (boundary * near_errors - near_expected) * scale
        return float(torch.erfc(torch.from_numpy(distance)).sum()) / (2 * len(expected))

    scale, lowest = np.float32(math.sqrt(0.5) / spread), math.inf
    step, low, high = 16 * PRECISION, near, near
    while True:
        if low < lowest:
            # Most draws are too far below to cross, and are left out of the sums.
            lowest = low - MARGIN
            reached = (lowest * errors - expected) * scale < FARTHEST
            near_errors, near_expected = errors[reached], expected[reached]
        if low <= 0.0 or crossing(low) > share:
            break
        low, high, step = max(low - step, 0.0), low, 2 * step
    while high < HIGHEST and crossing(high) > share:
        low, high, step = high, high + step, 2 * step
    if high >= HIGHEST:
        return math.inf, 0.0
    while high - low > PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if crossing(middle) > share else (low, middle)
    return high, crossing(high)


def _standard_errors(seed: int, degrees: float, now: Contributions) -> Contributions:
    """float32 of shape (draws,): what each draw's standard error is taken for, over what it is.

    Roots of chi-squared variables over their degrees of freedom, from normal ones. From look to
    look these are correlated as the squares of contributions are, by the square of the
    correlation: products of two projections have that.
    """
    one, other, mixed = _projections(seed, len(now))
    products = (one @ now) * (other @ now)
    normal = mixed @ (products / np.linalg.norm(products))
    return np.tile(np.interp(normal, *_chi_quantiles(degrees)), 2).astype(np.float32)


@lru_cache(maxsize=64)
def _chi_quantiles(degrees: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Quantiles of a normal variable, and those of a chi variable over its root mean square."""
    squares = torch.logspace(-12, 3, 1500, dtype=torch.float64)
    shape = torch.tensor(degrees / 2, dtype=torch.float64)
    below = torch.special.gammainc(shape, shape * squares)
    normal = torch.special.ndtri(below).clamp(-9.0, 9.0)
    return normal.numpy(), squares.sqrt().numpy()


@lru_cache(maxsize=4)
def _projections(seed: int, documents: int) -> tuple[Contributions, Contributions, Contributions]:
    random = np.random.default_rng([seed, documents, 1])
    return (
        random.standard_normal((PRODUCTS, documents), dtype=np.float32),
        random.standard_normal((PRODUCTS, documents), dtype=np.float32),
        random.standard_normal((MULTIPLIERS, PRODUCTS), dtype=np.float32),
    )


def _in_groups(influences: npt.NDArray[np.float64]) -> Contributions:
    """Contributions of groups of documents, of norm 1."""
    groups = min(len(influences), MOST_GROUPS)
    summed = np.bincount(np.arange(len(influences)) % groups, influences)
    return (summed / np.linalg.norm(summed)).astype(np.float32)


@lru_cache(maxsize=4)
def _multipliers(seed: int, documents: int) -> Contributions:
    """float32 of shape (draws, documents), drawn anew wherever they are needed: never stored."""
    random = np.random.default_rng([seed, documents])
    return random.standard_normal((MULTIPLIERS, documents), dtype=np.float32)
