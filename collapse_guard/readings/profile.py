"""Which of the things that are called collapse has happened in a run, and which nobody can tell.

Papers mean different things by *model collapse*, some of which can hold where others do not
(Schaeffer, Kazdan, Arulandu and Koyejo 2025, "Position: Model Collapse Does Not Mean What You
Think", arXiv 2503.03150, count eight). So a run is told by a profile, and not by a word.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

from collapse_guard.arguments import many, optional
from collapse_guard.errors import bad_argument
from collapse_guard.readings.reading import A_READING, Reading
from collapse_guard.statistics.confidence_sequence import check_alpha
from collapse_guard.statistics.estimates import Estimate, difference, logarithm
from collapse_guard.statistics.json_values import without_nan
from collapse_guard.statistics.overflow import exp_or_infinity
from collapse_guard.statistics.student import student_half_width

Verdict = Literal["happened", "did not happen", "not told apart", "cannot be judged"]

FORMAT = 1
_FEWEST_TO_RISE = 4
"""Readings after the start from which on a rise can be seen to go on: two for each half."""

_FEWEST_UNITS = 2.0

LIMITS: Mapping[str, float] = MappingProxyType(
    {
        "risk": 1.0,
        "catastrophic risk": 2.0,
        "tail": 0.85,
        "variance": 0.8,
        "modes": 0.8,
    }
)
"""What is held against each: a multiple of the start, past which it has happened. Any rise of risk
is one; twice the perplexity, which is a bit for every token, is called catastrophic here, as no
paper says a number; the others are the limits of the default rules."""


@dataclass(frozen=True)
class Finding:
    """One meaning of collapse, and whether it has happened.

    Attributes:
        name: In a word or two.
        meaning: What is meant, in a sentence.
        verdict: Of the whole interval: "happened" where it lies past the limit, "did not happen"
            where it lies on the other side, "not told apart" where the limit is in it.
        reading: What it is judged by; None where nothing that can be read judges it.
        value: Of that, as a multiple of the start; NaN where there is none, or it was not read.
        interval: Of the value, at the profile's joint level.
        limit: What it is held against; NaN where there is none.
        reason: Why it cannot be judged, and what to do; empty where it was.
    """

    name: str
    meaning: str
    verdict: Verdict
    reading: str | None = None
    value: float = math.nan
    interval: tuple[float, float] = (math.nan, math.nan)
    limit: float = math.nan
    reason: str = ""

    def __str__(self) -> str:
        if self.verdict == "cannot be judged":
            return f"{self.name}: {self.verdict}. {self.reason}"
        low, high = self.interval
        return (
            f"{self.name}: {self.verdict}. {self.meaning} {self.reading} is {self.value:.3g} times "
            f"what it is measured from ({low:.3g} to {high:.3g}; the limit is {self.limit:g})."
        )


@dataclass(frozen=True)
class CollapseProfile:
    """What has happened in a run, meaning by meaning. `print` it.

    Attributes:
        findings: One for each meaning of collapse.
        alpha: Probability that chance alone makes any of them "happened" where it has not, or "did
            not happen" where it has, of all together.
        step: Of the reading that is told of.
    """

    findings: tuple[Finding, ...]
    alpha: float
    step: int

    def __getitem__(self, name: str) -> Finding:
        """The finding of that name."""
        return next(each for each in self.findings if each.name == name)

    @property
    def happened(self) -> tuple[str, ...]:
        """The names of those that have."""
        return tuple(each.name for each in self.findings if each.verdict == "happened")

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))

    def to_dict(self) -> dict[str, Any]:
        """In plain JSON types; None for NaN."""
        findings = [without_nan(asdict(each)) for each in self.findings]
        return {"format": FORMAT, "alpha": self.alpha, "step": self.step, "findings": findings}


def _is_above_0(value: object) -> bool:
    return isinstance(value, int | float) and value > 0


def collapse_profile(
    history: Sequence[Reading],
    start: Reading | None = None,
    *,
    alpha: float = 0.05,
    limits: Mapping[str, float] = LIMITS,
) -> CollapseProfile:
    """Judge a run, or a chain of generations, by each meaning of collapse.

    The last reading of the whole panel is told against the start. Retentions are paired over
    documents as they are; where readings carry the influences of documents (those of a monitor
    do), other multiples of the start are paired too, and else the errors of both are added as if
    they were independent, which makes intervals too wide and never too narrow. Intervals are
    Student's, and hold for all meanings together (Bonferroni).

    The look that is told of must not have been chosen by what it shows: that is what alarms are
    for, whose intervals hold at all looks.

    Args:
        history: Readings in order, such as `CollapseMonitor.history`; of generations, one for each.
        start: What the last one is compared with: `monitor.baseline.readings`, say. None for the
            first of `history`.
        alpha: As of `CollapseProfile`, above 0 and below 1.
        limits: As of `LIMITS`, which says what each is.

    Raises:
        ArgumentError: An empty history, no reading of the whole panel, or a value out of range.

    Example:
        >>> errors = {"tail_retention": 0.02, "perplexity": 0.5}
        >>> start = Reading(0, {"tail_retention": 1.0, "perplexity": 100.0}, errors)
        >>> end = Reading(50, {"tail_retention": 0.6, "perplexity": 101.0}, errors)
        >>> profile = collapse_profile([start, end])
        >>> profile.happened, profile["catastrophic risk"].verdict, profile["modes"].verdict
        (('tail',), 'did not happen', 'cannot be judged')
        >>> print(profile["tail"])  # doctest: +NORMALIZE_WHITESPACE
        tail: happened. Rare tokens of real data lose their probability. tail_retention is 0.6
        times what it is measured from (0.549 to 0.655; the limit is 0.85).
    """
    check_alpha(alpha)
    if not isinstance(limits, Mapping):
        raise bad_argument(
            "limits",
            expected=f"a number above 0 for each of {', '.join(LIMITS)}",
            given=limits,
            hint="leave it out",
        )
    many(A_READING, expected="readings in order", hint="give monitor.history")("history", history)
    optional(A_READING)("start", start)
    unknown = sorted(LIMITS.keys() - limits.keys()) + sorted(
        name for name, value in limits.items() if name in LIMITS and not _is_above_0(value)
    )
    if unknown:
        raise bad_argument(
            "limits",
            expected=f"a number above 0 for each of {', '.join(LIMITS)}",
            given=dict(limits),
            hint="give {**LIMITS, 'tail': 0.9}, say",
        )
    looks = [reading for reading in history if reading and reading.is_full]
    if not looks:
        raise bad_argument(
            "history",
            expected="at least one reading of the whole panel",
            given=f"{len(history)} readings",
            hint="give monitor.history after a look",
        )
    begin = looks[0] if start is None else start
    # Two sides of each of the intervals that are made here.
    level = alpha / (2 * _INTERVALS)
    judge = partial(_judged, begin, looks[-1], level, limits)
    return CollapseProfile(
        (
            judge(
                "risk",
                "The model is more surprised by real data than it was: any increase of population "
                "risk.",
                "perplexity",
                above=True,
            ),
            judge(
                "catastrophic risk",
                "It is far more surprised: a catastrophic increase of population risk.",
                "perplexity",
                above=True,
            ),
            _diverging(begin, looks, level),
            judge(
                "variance",
                "What it predicts loses its spread: collapsing variance.",
                "effective_vocabulary",
            ),
            judge("tail", "Rare tokens of real data lose their probability.", "tail_retention"),
            judge(
                "modes",
                "What it writes by itself becomes less varied: modes that it had are gone.",
                "free_distinct_2",
            ),
            Finding(
                "scaling law",
                "More data help less than they did: a change of the scaling law.",
                "cannot be judged",
                reason="It takes runs of several sizes of data or model: compare their losses.",
            ),
            Finding(
                "hallucinated data",
                "It writes what real data never holds.",
                "cannot be judged",
                reason="It takes a judge of what is true: check what it writes against sources.",
            ),
        ),
        alpha,
        looks[-1].step,
    )


_INTERVALS = 6


def _judged(
    start: Reading,
    now: Reading,
    level: float,
    limits: Mapping[str, float],
    name: str,
    meaning: str,
    reading: str,
    *,
    above: bool = False,
) -> Finding:
    """What a reading is as a multiple of the start, held against the limit of that name."""
    moved = _moved(reading, start, now)
    if moved is None:
        return Finding(name, meaning, "cannot be judged", reading, reason=_missing(reading))
    return _held(name, meaning, reading, moved, level, limits[name], above=above)


def _diverging(start: Reading, looks: Sequence[Reading], level: float) -> Finding:
    """Whether risk still rose in the second half of the run: no run is long enough to tell more."""
    name, reading = "diverging risk", "perplexity"
    meaning = (
        "Risk still rises at the end, as it would where it diverges; how long, no run can tell."
    )
    after = [look for look in looks if look.step > start.step]
    if len(after) < _FEWEST_TO_RISE:
        reason = f"It takes {_FEWEST_TO_RISE} readings of the whole panel after the start."
        return Finding(name, meaning, "cannot be judged", reading, reason=reason)
    half = after[(len(after) - 1) // 2]
    return _judged(half, after[-1], level, {name: 1.0}, name, meaning, reading, above=True)


def _held(
    name: str,
    meaning: str,
    reading: str,
    moved: Estimate,
    level: float,
    limit: float,
    *,
    above: bool,
) -> Finding:
    reach = student_half_width(moved.standard_error, moved.units, probability=1 - level)
    low, high = exp_or_infinity(moved.value - reach), exp_or_infinity(moved.value + reach)
    if (low > limit) if above else (high < limit):
        verdict: Verdict = "happened"
    elif (high <= limit) if above else (low >= limit):
        verdict = "did not happen"
    else:
        verdict = "not told apart"
    return Finding(
        name, meaning, verdict, reading, exp_or_infinity(moved.value), (low, high), limit
    )


def _moved(name: str, start: Reading, now: Reading) -> Estimate | None:
    """The logarithm of how many times what it was a reading is; None where that is unknown."""
    if name not in now or (name not in start and not name.endswith("_retention")):
        return None
    after = logarithm(now.estimate(name))
    if name.endswith("_retention"):
        # It is a multiple of the start already.
        moved = after
    else:
        before = logarithm(start.estimate(name))
        together = after.influences.size and after.influences.shape == before.influences.shape
        combine: Callable[[Estimate, Estimate], Estimate] = difference if together else _apart
        moved = combine(after, before)
    known = math.isfinite(moved.value) and math.isfinite(moved.standard_error)
    return moved if known and moved.units >= _FEWEST_UNITS else None


def _apart(after: Estimate, before: Estimate) -> Estimate:
    error = math.hypot(after.standard_error, before.standard_error)
    units = min(after.units, before.units)
    return Estimate(after.value - before.value, error, after.influences, units)


def _missing(reading: str) -> str:
    if reading.startswith("free_"):
        return f"{reading} was not read with an error: let the model write, with sampling=."
    return f"{reading} was not read with an error: take it of the whole panel."
