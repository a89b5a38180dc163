"""What a filter takes away, from the commonest contents to the rarest."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.arguments import as_array, number, whole_number
from collapse_guard.errors import bad_argument

Floats = npt.NDArray[np.floating[Any]]

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class StratumRejection:
    """What a filter takes away of rows of like rarity.

    Attributes:
        rows: Rows in the stratum.
        rarity: Their lowest and highest rarity, in bits.
        rate: Share of them that is rejected; of soft weights, the mean of 1 - weight.
        interval: Wilson's 95% confidence interval of the rate (Wilson 1927, JASA 22(158)). Soft
            weights vary less than rejections with the same mean, so for them it is too wide.
        ratio: The rate over that of all other rows; NaN where nothing is rejected at all, infinite
            where nothing else is.
        p_value: Probability that rows drawn at random would lose at least as much.
    """

    rows: int
    rarity: tuple[float, float]
    rate: float
    interval: tuple[float, float]
    ratio: float
    p_value: float


@dataclass(frozen=True)
class RejectionReport:
    """Whether a filter spares rare contents. `print` it, or see `eats_tail`.

    Attributes:
        strata: From the commonest contents to the rarest.
        rows: Rows in all.
        rate: Share of all rows that is rejected; of soft weights, the mean of 1 - weight.
        alpha: Probability that a filter which is blind to rarity gets any stratum flagged.
        tolerance: Least `ratio` of a flagged stratum.
    """

    strata: tuple[StratumRejection, ...]
    rows: int
    rate: float
    alpha: float
    tolerance: float

    @property
    def flagged(self) -> tuple[int, ...]:
        """Numbers of the strata that lose more than others, and more than chance explains."""
        limit = self.alpha / max(len(self.strata), 1)
        return tuple(
            number
            for number, stratum in enumerate(self.strata)
            if stratum.p_value <= limit and stratum.ratio >= self.tolerance
        )

    @property
    def eats_tail(self) -> bool:
        """Whether a stratum of the rarer half is flagged."""
        return any(2 * number >= len(self.strata) for number in self.flagged)

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain nested dicts, ready for JSON but for infinite and NaN ratios."""
        strata = [
            {**vars(stratum), "flagged": number in self.flagged}
            for number, stratum in enumerate(self.strata)
        ]
        return {**vars(self), "strata": strata, "eats_tail": self.eats_tail}

    def __str__(self) -> str:
        lines = [f"{self.rate:.1%} of {self.rows:,} rows rejected"]
        for place, stratum in enumerate(self.strata):
            low, high = stratum.interval
            mark = f"  <- {stratum.ratio:.1f} times as many as of all others"
            lines.append(
                f"  stratum {place} ({stratum.rarity[0]:.1f} to {stratum.rarity[1]:.1f} bits): "
                f"{stratum.rate:.1%} of {stratum.rows:,} rows ({low:.1%} to {high:.1%})"
                f"{mark * (place in self.flagged)}"
            )
        if self.eats_tail:
            lines.append("this filter eats the tail: rare contents are rejected more than others")
        return "\n".join(lines)


def rejection_by_rarity(
    weights: Floats,
    rarity: Floats,
    *,
    num_strata: int = 10,
    alpha: float = 0.01,
    tolerance: float = 1.25,
) -> RejectionReport:
    """Compare what a filter takes away of rare and of common contents.

    Detectors and quality filters are trained on common text, and what is rare looks wrong to them:
    filters are known to remove dialects and minority topics first (Dodge et al. 2021, EMNLP,
    "Documenting large webtext corpora"). Where that happens a filter against model
    collapse does the harm that it is meant to prevent.

    Rows are cut into strata at the quantiles of rarity, and the weights of each stratum are
    compared with those of as many rows drawn at random from all. For weights of 0 and 1 that is
    Fisher's exact test, one-sided; for soft ones, the normal limit of the permutation test. The
    tests are corrected for the number of strata (Bonferroni), and a difference that is certain but
    small is not flagged.

    Args:
        weights: float of shape (rows,), from 0 (rejected) to 1 (kept).
        rarity: float of shape (rows,), in bits: `row_rarity`.
        num_strata: From 2 to 100; rows of equal rarity share a stratum, so there may be fewer.
        alpha: Probability that a filter which is blind to rarity gets any stratum flagged.
        tolerance: How many times as much as other rows a stratum must lose to be flagged, at
            least 1.

    Raises:
        ArgumentError: Shapes that differ, no rows, or a value out of range.

    Example:
        >>> rarity = np.arange(1000) / 100
        >>> report = rejection_by_rarity((rarity < 9.5).astype(float), rarity, num_strata=4)
        >>> report.eats_tail, report.flagged
        (True, (3,))
        >>> print(report)
        5.0% of 1,000 rows rejected
          stratum 0 (0.0 to 2.5 bits): 0.0% of 250 rows (0.0% to 1.5%)
          stratum 1 (2.5 to 5.0 bits): 0.0% of 250 rows (0.0% to 1.5%)
          stratum 2 (5.0 to 7.5 bits): 0.0% of 250 rows (0.0% to 1.5%)
          stratum 3 (7.5 to 10.0 bits): 20.0% of 250 rows (15.5% to 25.4%)  <- inf times as many \
as of all others
        this filter eats the tail: rare contents are rejected more than others
    """
    given, rarity = as_numbers("weights", weights), as_numbers("rarity", rarity)
    num_strata = whole_number("num_strata", num_strata, least=2, most=100, hint="leave it out")
    _check(given, rarity, alpha, tolerance)
    lost = 1.0 - given
    ordered = np.sort(rarity)
    cuts = np.unique(ordered[np.arange(1, num_strata) * len(ordered) // num_strata])
    numbers = np.searchsorted(cuts[cuts > ordered[0]], rarity, side="right")
    strata = tuple(_stratum(lost, numbers == n, rarity) for n in range(numbers.max() + 1))
    return RejectionReport(strata, len(lost), float(lost.mean()), alpha, tolerance)


def _stratum(
    lost: npt.NDArray[np.float64], member: npt.NDArray[np.bool_], rarity: Floats
) -> StratumRejection:
    rows, others = int(member.sum()), int((~member).sum())
    rate = float(lost[member].mean())
    elsewhere = float(lost[~member].mean()) if others else math.nan
    ratio = math.inf if rate > 0 and others else math.nan
    if elsewhere > 0:
        ratio = rate / elsewhere
    return StratumRejection(
        rows=rows,
        rarity=(float(rarity[member].min()), float(rarity[member].max())),
        rate=rate,
        interval=wilson_interval(rate, rows),
        ratio=ratio,
        p_value=_p_value(lost, member),
    )


def _p_value(lost: npt.NDArray[np.float64], member: npt.NDArray[np.bool_]) -> float:
    """Probability that as many rows drawn at random lose at least as much."""
    rows, total = int(member.sum()), len(lost)
    if not lost.any() or rows == total:
        return 1.0
    if ((lost == 0) | (lost == 1)).all():
        return hypergeometric_tail(int(lost[member].sum()), total, int(lost.sum()), rows)
    spread = lost.std() / math.sqrt(rows) * math.sqrt((total - rows) / (total - 1))
    if spread == 0:
        return 1.0
    return NormalDist().cdf(-float(lost[member].mean() - lost.mean()) / spread)


def hypergeometric_tail(at_least: int, total: int, marked: int, drawn: int) -> float:
    """Probability that `drawn` of `total` balls hold `at_least` of the `marked` ones.

    Example:
        >>> round(hypergeometric_tail(2, 4, 2, 2), 6)
        0.166667
    """
    lowest, highest = max(0, drawn - (total - marked)), min(marked, drawn)
    if at_least <= lowest:
        return 1.0
    hits = torch.arange(at_least, highest + 1, dtype=torch.float64)
    logs = (
        _log_choices(marked, hits)
        + _log_choices(total - marked, drawn - hits)
        - _log_choices(total, torch.tensor(float(drawn), dtype=torch.float64))
    )
    return min(float(logs.exp().sum()), 1.0)


def wilson_interval(rate: float, rows: int) -> tuple[float, float]:
    """The 95% confidence interval of a share that was `rate` among `rows` rows.

    Example:
        >>> low, high = wilson_interval(0.1, 100)
        >>> round(low, 3), round(high, 3)
        (0.055, 0.174)
    """
    z = NormalDist().inv_cdf((1 + _CONFIDENCE) / 2)
    shrunk = 1 + z * z / rows
    centre = (rate + z * z / (2 * rows)) / shrunk
    width = z / shrunk * math.sqrt(rate * (1 - rate) / rows + z * z / (4 * rows * rows))
    return max(centre - width, 0.0), min(centre + width, 1.0)


def _log_choices(total: int, chosen: torch.Tensor) -> torch.Tensor:
    """Logarithm of the binomial coefficients, float64."""
    whole = torch.tensor(float(total), dtype=torch.float64)
    return torch.lgamma(whole + 1) - torch.lgamma(chosen + 1) - torch.lgamma(whole - chosen + 1)


def _check(weights: Floats, rarity: Floats, alpha: float, tolerance: float) -> None:
    if weights.ndim != 1 or weights.shape != rarity.shape or not weights.size:
        raise bad_argument(
            "rarity",
            expected="one number for each weight, and at least one",
            given=f"shape {rarity.shape} for weights of shape {weights.shape}",
            hint="read it off the rows that the weights are for, with row_rarity",
        )
    # Not `any(... > 1)`, which NaN would pass.
    if not ((weights >= 0) & (weights <= 1)).all() or not np.isfinite(rarity).all():
        raise bad_argument(
            "weights",
            expected="numbers from 0 (rejected) to 1 (kept), and a finite rarity for each",
            given="another number",
            hint="divide weights by their maximum",
        )
    number("alpha", alpha, least=0, most=1, hint="leave it out")
    number("tolerance", tolerance, least=1, hint="leave it out")


def as_numbers(name: str, given: Any) -> npt.NDArray[np.float64]:
    """The argument as float64 of shape (rows,).

    Raises:
        ArgumentError: It is no array of numbers.
    """
    wanted = {"expected": "one number for each row", "hint": "give an array of one dimension"}
    numbers = as_array(name, given, dtype=np.float64, **wanted)
    if numbers.ndim != 1:
        raise bad_argument(name, given=given, **wanted)
    return numbers
