"""How much of the rare words of human text a synthetic text still has."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.comparison.runs import Runs
from collapse_guard.human_text.bands import band_cutoffs
from collapse_guard.statistics.student import student_quantile

Unit = Literal["words", "tokens"]

SPLITS = 24
_DEGREES = 3
_FIGURES = 8

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Relative:
    """A ratio of a synthetic figure to a human one, 1 where they are alike.

    Attributes:
        value: Of means over the splits.
        low: Lower end of its 95% interval, at least 0.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Coverage:
    """What a synthetic text has of rare runs, beside as much fresh human text.

    All figures are NaN where human text of that size has no rare runs.

    Attributes:
        unit: "words" or "tokens".
        length: How many of them a run has.
        max_count: Runs that human text of that size shows at most so often are rare.
        rare: How many different ones those are, on average.
        human: Share of them that fresh human text shows, 0 to 1.
        synthetic: Share of them that as much synthetic text shows, 0 to 1.
        covered: The second beside the first.
        frequency: How often rare runs come in synthetic text, beside how often in human text.
        variety: How many different runs there are, beside human text.
    """

    unit: Unit
    length: int
    max_count: float
    rare: float
    human: float
    synthetic: float
    covered: Relative
    frequency: Relative
    variety: Relative


def coverage(
    runs: Runs,
    *,
    unit: Unit = "words",
    length: int = 1,
    tail_mass: float = 0.10,
    seed: int = 0,
) -> Coverage:
    """Compare synthetic text with as much human text, by what a part of human text has.

    The words of human text are taken as a ring, which is halved at 24 places in turn, so that lines
    of one article, which share its names, hardly ever fall to both halves. In the one it is counted
    which runs are rare: those of the tail (`band_cutoffs`), and all that come once. The other is
    the yardstick: fresh human text has not all of them either. Of the synthetic text as many words
    are taken, so that no figure depends on how much there is of it.

    The intervals are those of halved samples (the delete-half jackknife; Shao and Wu, "A General
    Theory for Jackknife Variance Estimation", Annals of Statistics 17, 1989): by how much figures
    would differ with other texts of the same kinds. Halves of a ring that is turned differ mostly
    by their first harmonic, which is worth 3 degrees of freedom: Student's quantile is theirs.

    Args:
        runs: What is compared, the texts of either kind in their order.
        unit: What they are runs of.
        length: How long they are, at least 1.
        tail_mass: Largest share of all runs that rare ones hold, in (0, 0.5), if some come twice.
        seed: Of which parts of the synthetic text stand beside which of the human one.
    """
    human, synthetic = len(runs.human), len(runs.synthetic)
    splits = _splits(human, synthetic, min(human, synthetic) // 2, seed)
    figures = np.array([_figures(runs, split, tail_mass) for split in splits])
    means = figures.mean(axis=0)
    return Coverage(
        unit=unit,
        length=length,
        max_count=float(means[0]),
        rare=float(means[1]),
        human=float(means[2]),
        synthetic=float(means[3]),
        covered=_relative(figures[:, 3], figures[:, 2]),
        frequency=_relative(figures[:, 5], figures[:, 4]),
        variety=_relative(figures[:, 7], figures[:, 6]),
    )


class _Split(NamedTuple):
    """Places of words: those that rare runs are counted in, fresh human ones, synthetic ones."""

    counted: Ids
    fresh: Ids
    synthetic: Ids


def _splits(human: int, synthetic: int, size: int, seed: int) -> Iterator[_Split]:
    """Halves of a ring of words that is turned a little further each time."""
    turns = np.arange(SPLITS) / SPLITS
    random = np.random.default_rng(seed)
    for turn, other in zip(turns, random.permutation(turns), strict=True):
        begin = int(turn * human)
        fresh = (begin + np.arange(size)) % human
        counted = (begin + human // 2 + np.arange(size)) % human
        yield _Split(counted, fresh, (int(other * synthetic) + np.arange(size)) % synthetic)


def _figures(runs: Runs, split: _Split, tail_mass: float) -> Floats:
    counted, fresh, synthetic = (
        np.bincount(numbers[numbers >= 0], minlength=runs.kinds)
        for numbers in (
            runs.human[split.counted],
            runs.human[split.fresh],
            runs.synthetic[split.synthetic],
        )
    )
    max_count = max(1, band_cutoffs(counted, tail_mass=tail_mass).tail)
    rare = (counted > 0) & (counted <= max_count)
    if not rare.any():
        return np.full(_FIGURES, np.nan)
    return np.array(
        [
            max_count,
            rare.sum(),
            *(float((found[rare] > 0).mean()) for found in (fresh, synthetic)),
            *(float(found[rare].sum() / found.sum()) for found in (fresh, synthetic)),
            *(float((found > 0).sum() / found.sum()) for found in (fresh, synthetic)),
        ]
    )


def _relative(synthetic: Floats, human: Floats) -> Relative:
    mean = float(human.mean())
    if not mean > 0:
        return Relative(math.nan, math.nan, math.nan)
    value = float(synthetic.mean()) / mean
    # Of a ratio of means, as single splits of a small text may have none of what is rare.
    spread = float((synthetic - value * human).std(ddof=1)) / mean
    half = student_quantile(0.975, _DEGREES) * spread
    return Relative(value, max(value - half, 0.0), value + half)
