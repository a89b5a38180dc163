"""Rules that turn readings into alerts."""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from collapse_guard.arguments import (
    a,
    check_fields,
    flag,
    number,
    one_of,
    optional,
    understood,
    whole,
)
from collapse_guard.errors import bad_argument, shown
from collapse_guard.readings.kind import A_KIND, ReadingKind
from collapse_guard.readings.reading import A_READING, Reading
from collapse_guard.readings.registry import READINGS
from collapse_guard.statistics.confidence_sequence import check_alpha, half_width
from collapse_guard.statistics.estimates import Estimate, difference, logarithm, scaled
from collapse_guard.statistics.json_forms import Part

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
        cause: What likely lies behind it (`collapse_guard.alerts.causes`), as far as the last look
            at the whole panel tells: "narrowing", for example, or "not told apart".
        explanation: Why, with numbers, and what to do: two sentences.
    """

    rule: str
    reading: str
    value: float
    limit: float
    standard_error: float
    step: int
    severity: Severity
    message: str
    cause: str = ""
    explanation: str = ""

    @property
    def is_alarm(self) -> bool:
        """Whether it is more than "info", so that a run is asked to act on it."""
        return self.severity != "info"

    @classmethod
    def from_part(cls, state: Part) -> "Alert":
        """The alert whose fields a state holds.

        Raises:
            ArgumentError: It is no such state.
        """
        told, numbers = ("rule", "reading", "message"), ("value", "limit", "standard_error")
        # Those of the last release tell no cause.
        more = ("cause", "explanation")
        parts = state.keys(*told, *numbers, "step", "severity", optional=more)
        most = sys.float_info.max
        # What is NaN has broken no rule.
        value, limit, error = (
            parts[name].number(least=-most, most=most, or_none=or_none)
            for name, or_none in zip(numbers, ("inf", "inf", "nan, inf"), strict=True)
        )
        rule, reading, message = (parts[name].text() for name in told)
        severity = cast(Severity, parts["severity"].text(among=get_args(Severity)))
        step, because = (
            parts["step"].whole(),
            [parts[name].text() for name in more if name in parts],
        )
        return cls(rule, reading, value, limit, error, step, severity, message, *because)


@dataclass(frozen=True)
class Threshold:
    """Broken when a reading is past a limit, beyond what chance explains.

    Give exactly one of `below` and `above`. With `alpha` a look breaks the rule only when the
    reading is past the limit by more than documents differ by chance, whatever the look: a run
    whose reading never truly passes the limit raises a false alarm with a probability of at most
    `alpha`, however long it is and however often it is looked at
    (`collapse_guard.statistics.supremum_boundary`). Documents are what chance draws, so they must
    be independent of each other, and at least 30; readings that are ratios are compared on their
    logarithm. Without `alpha` the value itself is compared, and chance alone can break the rule.

    Attributes:
        reading: Name of the reading: one of `collapse_guard.readings.registry.READINGS`, or one of
            your own, which the monitor then has to take.
        below: Broken when the reading lies below this.
        above: Broken when the reading lies above this.
        relative_to_start: Whether the limit is a multiple of the reading at the run's start, with
            which it is then compared document by document.
        patience: Looks in a row that must break it before it fires, at least 1.
        severity: "info", "warn" or "critical".
        alpha: Probability of a false alarm over the whole run, in (0, 1); None to compare values.
        beside: Another rule, which has to be broken at the same look for this one to be.

    Raises:
        ArgumentError: At construction, for an argument that cannot work.

    Example:
        >>> rule = Threshold("effective_vocabulary", below=0.8, relative_to_start=True)
        >>> str(rule)
        'effective_vocabulary below 0.8 times its start'
        >>> start = Reading(0, {"effective_vocabulary": 100.0}, {"effective_vocabulary": 1.0})
        >>> reading = Reading(1, {"effective_vocabulary": 70.0}, {"effective_vocabulary": 1.0})
        >>> rule.is_broken(reading, start)
        True
    """

    reading: str
    below: float | None = None
    above: float | None = None
    relative_to_start: bool = False
    patience: int = 1
    severity: Severity = "warn"
    alpha: float | None = 0.01
    beside: "Threshold | None" = None

    def __post_init__(self) -> None:
        if not isinstance(self.reading, str) or not self.reading.isidentifier():
            raise bad_argument(
                "reading",
                expected=f"one of {list(READINGS)}, or the name of a reading of yours",
                given=self.reading,
                hint="choose",
            )
        if (self.below is None) == (self.above is None):
            raise bad_argument(
                "below",
                expected="exactly one limit, `below` or `above`",
                given=f"below={shown(self.below)}, above={shown(self.above)}",
                hint="write two rules to fence a reading in",
            )
        bound = self.below if self.below is not None else self.above
        limit = "below" if self.below is not None else "above"
        number(limit, bound, hint="nothing is ever past NaN")
        check_fields(
            self,
            relative_to_start=flag(hint="leave it out"),
            patience=whole(least=1, hint="1 is the default"),
            severity=one_of(*get_args(Severity), hint="choose"),
            beside=optional(a(Threshold, expected="a Threshold", hint="give another rule")),
        )
        if self.reading in READINGS:
            self.check_kind(READINGS[self.reading])
        if self.alpha is not None:
            check_alpha(self.alpha)

    def check_kind(self, kind: ReadingKind) -> None:
        """Refuse a reading that this rule cannot be held against.

        Args:
            kind: Of the reading that the rule is about.

        Raises:
            ArgumentError: The limit is a multiple of a start that the reading does not have, that
                may lie on either side of 0, or that it begins past.
        """
        if not self.relative_to_start:
            return
        if kind.start == "none":
            raise bad_argument(
                "relative_to_start",
                expected=f"False for {self.reading}, which a start does not have",
                given=True,
                hint="it is told against first rows, a base model or a control run by itself",
            )
        if kind.start == "either side":
            raise bad_argument(
                "relative_to_start",
                expected=f"False for {self.reading}, which may start on either side of 0, where a "
                "multiple of the start says nothing",
                given=True,
                hint="hold a limit against its difference to the start: log-odds are read so with "
                "log_odds_reading(..., since_start=True)",
            )
        if kind.start == "at 0" or (kind.start == "below 0" and not self._lies_lower()):
            raise bad_argument(
                "relative_to_start",
                expected=f"False, or a multiple that {self.reading} does not begin past: it starts "
                "at 0 or below, where a smaller multiple lies higher",
                given=f"{self.below=}, {self.above=}",
                hint="below=1.2 is a fall by a fifth; tail_gap starts at 0, which has no multiple",
            )

    def _lies_lower(self) -> bool:
        """Whether that multiple of a start below 0 lies on the limit's own side of it."""
        if self.below is not None:
            return self.below > 1.0
        return self.above is not None and self.above < 1.0

    def __str__(self) -> str:
        bound = f"below {self.below}" if self.below is not None else f"above {self.above}"
        times = " times its start" if self.relative_to_start else ""
        beside = "" if self.beside is None else f", beside {self.beside}"
        return f"{self.reading} {bound}{times}{beside}"

    @property
    def held(self) -> "tuple[Threshold, ...]":
        """The rule and the one that it stands beside, and so on: all that must be broken."""
        return (self, *(() if self.beside is None else self.beside.held))

    def limit(self, start: Mapping[str, float]) -> float:
        """The limit in the reading's own unit, given the readings at the run's start."""
        bound = self.below if self.below is not None else self.above
        limit = math.nan if bound is None else bound
        return limit * start[self.reading] if self.relative_to_start else limit

    def is_broken(
        self,
        reading: Reading,
        start: Reading,
        *,
        reach: Callable[[Estimate], float] | None = None,
        kind: ReadingKind | None = None,
    ) -> bool:
        """Whether the reading is past the limit, beyond what chance explains; never for a NaN.

        What the rule stands beside is not asked.

        Args:
            reading: The look's.
            start: The run's start.
            reach: Tells for how far the reading is past the limit how many standard errors of it
                are chance at this look; where left out, those of a first look.
            kind: Of the reading; where left out, the package's of that name.
        """
        for name, given in (("reading", reading), ("start", start)):
            if not isinstance(given, Reading):
                A_READING(name, given)
        if kind is not None and not isinstance(kind, ReadingKind):
            A_KIND("kind", kind)
        past = self.past(reading, start, kind=kind)
        if self.alpha is None or math.isinf(past.value):
            # A model that has diverged: no interval, and no doubt either.
            return past.value > 0
        if reach is not None and not callable(reach):
            raise bad_argument(
                "reach", expected="a function of an Estimate", given=reach, hint="leave it out"
            )
        if reach is None:
            chance = half_width(1.0, past.units, alpha=self.alpha, look=1)
        else:
            with understood(
                "reach", reach, expected="a function that gives a number", hint="leave it out"
            ):
                chance = float(reach(past))
        return past.value > (chance * past.standard_error if past.standard_error else 0.0)

    def past(
        self, reading: Reading, start: Reading, *, kind: ReadingKind | None = None
    ) -> Estimate:
        """How far the reading is past the limit, on the scale that it is compared on.

        Args:
            reading: As in `is_broken`, as is what follows.
            start: The run's start.
            kind: Of the reading.

        Returns:
            Below 0 where it is not past; infinite where the reading is.
        """
        now = reading.estimate(self.reading)
        side = -1.0 if self.below is not None else 1.0
        if math.isinf(now.value):
            return scaled(now, side)
        return scaled(self._excess(now, start, self._kind(kind)), side)

    def _kind(self, given: ReadingKind | None) -> ReadingKind | None:
        return READINGS.get(self.reading) if given is None else given

    def _excess(self, now: Estimate, start: Reading, kind: ReadingKind | None) -> Estimate:
        """How far the reading lies above its limit, on the scale that it is compared on."""
        bound = self.limit({self.reading: 1.0})
        reference = start.estimate(self.reading) if self.relative_to_start else None
        involved = [now.value, bound, *([reference.value] if reference else [])]
        on_log_scale = kind is not None and kind.on_log_scale
        if on_log_scale and all(value > 0 for value in involved):
            now, bound = logarithm(now), math.log(bound)
            if reference is None:
                return now._replace(value=now.value - bound)
            reference = logarithm(reference)
            reference = reference._replace(value=reference.value + bound)
        elif reference is None:
            return now._replace(value=now.value - bound)
        else:
            reference = scaled(reference, bound)
        return difference(now, reference)

    def alert(
        self, reading: Reading, start: Mapping[str, float], *, kind: ReadingKind | None = None
    ) -> Alert:
        """The alert for a reading that broke this rule; `kind` as in `is_broken`."""
        if not isinstance(reading, Reading):
            A_READING("reading", reading)
        if kind is not None and not isinstance(kind, ReadingKind):
            A_KIND("kind", kind)
        if not isinstance(start, Mapping):
            raise bad_argument(
                "start",
                expected="the readings at the run's start",
                given=start,
                hint="give monitor.baseline.readings",
            )
        value, limit = reading[self.reading], self.limit(start)
        error = reading.standard_errors[self.reading]
        side = "below" if self.below is not None else "above"
        began = start.get(self.reading)
        since = "" if began is None else f" (it started at {began:.4g})"
        known = self._kind(kind)
        meaning = "" if known is None else f" It is the {known.meaning}."
        message = (
            f"{self.reading} is {value:.4g} ± {error:.2g} at step {reading.step}, {side} its limit "
            f"of {limit:.4g}{since}.{meaning}"
        )
        return Alert(
            str(self), self.reading, value, limit, error, reading.step, self.severity, message
        )
