"""Rules that turn readings into alerts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, get_args

from collapse_guard.errors import bad_argument
from collapse_guard.readings import READINGS, Reading
from collapse_guard.sampled_readings import SAMPLED_READINGS

MEANINGS: Mapping[str, str] = {**READINGS, **SAMPLED_READINGS}
"""Every reading that a rule can be about, and what it is."""

Severity = Literal["info", "warn", "critical"]


@dataclass(frozen=True)
class Alert:
    """A rule that was broken, with what broke it.

    Attributes:
        rule: The rule in words, such as "tail_retention below 0.85".
        reading: Name of the reading.
        value: Its value.
        limit: The limit that it is past, in the reading's unit.
        standard_error: Of the value, over documents; NaN where there is none.
        step: The training step after which it was read.
        severity: "info", "warn" or "critical".
        message: One sentence for people.
    """

    rule: str
    reading: str
    value: float
    limit: float
    standard_error: float
    step: int
    severity: Severity
    message: str


@dataclass(frozen=True)
class Threshold:
    """Broken when a reading's whole confidence interval lies past a limit.

    Give exactly one of `below` and `above`. The interval is for one look; it is not corrected for
    looking often, so a rule with little room to its limit wants patience.

    Attributes:
        reading: Name of the reading, one of `READINGS`, or of `SAMPLED_READINGS` where the monitor
            lets the model write.
        below: Broken when the interval lies below this.
        above: Broken when the interval lies above this.
        relative_to_start: Whether the limit is a multiple of the reading at the run's start.
        patience: Looks in a row that must break it before it fires, at least 1.
        severity: "info", "warn" or "critical".
        confidence: Of the interval, two-sided, in (0, 1); normal approximation over documents.

    Raises:
        ArgumentError: At construction, for an argument that cannot work.

    Example:
        >>> rule = Threshold("effective_vocabulary", below=0.8, relative_to_start=True)
        >>> str(rule)
        'effective_vocabulary below 0.8 times its start'
        >>> reading = Reading(1, {"effective_vocabulary": 70.0}, {"effective_vocabulary": 1.0})
        >>> rule.is_broken(reading, {"effective_vocabulary": 100.0})
        True
    """

    reading: str
    below: float | None = None
    above: float | None = None
    relative_to_start: bool = False
    patience: int = 1
    severity: Severity = "warn"
    confidence: float = 0.99

    def __post_init__(self) -> None:
        if self.reading not in MEANINGS:
            raise bad_argument(
                "reading", expected=f"one of {list(MEANINGS)}", given=self.reading, hint="choose"
            )
        if (self.below is None) == (self.above is None):
            raise bad_argument(
                "below",
                expected="exactly one limit, `below` or `above`",
                given=f"below={self.below}, above={self.above}",
                hint="write two rules to fence a reading in",
            )
        if self.patience < 1:
            raise bad_argument(
                "patience", expected="at least 1 look", given=self.patience, hint="1 is the default"
            )
        if self.severity not in get_args(Severity):
            raise bad_argument(
                "severity",
                expected=f"one of {list(get_args(Severity))}",
                given=self.severity,
                hint="choose",
            )
        if not 0.0 < self.confidence < 1.0:
            raise bad_argument(
                "confidence",
                expected="a probability above 0 and below 1",
                given=self.confidence,
                hint="0.99 is the default",
            )

    def __str__(self) -> str:
        bound = f"below {self.below}" if self.below is not None else f"above {self.above}"
        return f"{self.reading} {bound}{' times its start' if self.relative_to_start else ''}"

    def limit(self, start: Mapping[str, float]) -> float:
        """The limit in the reading's own unit, given the readings at the run's start."""
        bound = self.below if self.below is not None else self.above
        limit = math.nan if bound is None else bound
        return limit * start[self.reading] if self.relative_to_start else limit

    def is_broken(self, reading: Reading, start: Mapping[str, float]) -> bool:
        """Whether the whole confidence interval lies past the limit; never for a NaN."""
        low, high = reading.interval(
            self.reading, z=NormalDist().inv_cdf(0.5 + self.confidence / 2)
        )
        return high < self.limit(start) if self.below is not None else low > self.limit(start)

    def alert(self, reading: Reading, start: Mapping[str, float]) -> Alert:
        """The alert for a reading that broke this rule."""
        value, limit = reading[self.reading], self.limit(start)
        error = reading.standard_errors[self.reading]
        side = "below" if self.below is not None else "above"
        message = (
            f"{self.reading} is {value:.4g} ± {error:.2g} at step {reading.step}, {side} its limit "
            f"of {limit:.4g} (it started at {start[self.reading]:.4g}). "
            f"It is the {MEANINGS[self.reading]}."
        )
        return Alert(
            str(self), self.reading, value, limit, error, reading.step, self.severity, message
        )


def default_rules() -> tuple[Threshold, ...]:
    """Rules that need no tuning.

    On the recursive fine-tuning example they fire in the first generation that trains on model
    output alone, and stay silent in five generations of fine-tuning on human text.
    """
    return (
        Threshold("tail_retention", below=0.85, severity="critical"),
        Threshold("tail_gap", above=0.20),
        Threshold("effective_vocabulary", below=0.80, relative_to_start=True),
    )
