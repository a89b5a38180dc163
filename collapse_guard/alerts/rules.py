"""Rules that turn readings into alerts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from collapse_guard.errors import bad_argument
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.readings.reading import Reading
from collapse_guard.readings.registry import READINGS
from collapse_guard.statistics.confidence_sequence import check_alpha, half_width
from collapse_guard.statistics.estimates import Estimate, difference, logarithm, scaled

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
    """Broken when a reading is past a limit, beyond what chance explains.

    Give exactly one of `below` and `above`. With `alpha` a look breaks the rule only when a
    confidence sequence lies past the limit (`collapse_guard.statistics.confidence_sequence`), an
    interval that holds at all looks of the run together: a run whose reading never truly passes the
    limit raises a false alarm with a probability of at most `alpha`, however long it is and however
    often it is looked at. Documents are what chance draws; the sequence is told on the logarithm of
    readings that are ratios. Without `alpha` the value itself is compared, and chance alone can
    break the rule.

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
                given=f"below={self.below}, above={self.above}",
                hint="write two rules to fence a reading in",
            )
        bound = self.below if self.below is not None else self.above
        if not isinstance(bound, int | float) or not math.isfinite(bound):
            raise bad_argument(
                "below" if self.below is not None else "above",
                expected="a finite number",
                given=bound,
                hint="nothing is ever past NaN",
            )
        if self.reading in READINGS:
            self.check_kind(READINGS[self.reading])
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
        if self.alpha is not None:
            check_alpha(self.alpha)

    def check_kind(self, kind: ReadingKind) -> None:
        """Refuse a reading that this rule cannot be held against.

        Args:
            kind: Of the reading that the rule is about.

        Raises:
            ArgumentError: The limit is a multiple of a start that the reading does not have, or
                that it begins past.
        """
        if not self.relative_to_start:
            return
        if kind.start == "none":
            raise bad_argument(
                "relative_to_start",
                expected=f"False for {self.reading}, which a start does not have",
                given=True,
                hint="it is told against the run's first rows, or the base model, by itself",
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
        return f"{self.reading} {bound}{' times its start' if self.relative_to_start else ''}"

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
        look: int = 1,
        kind: ReadingKind | None = None,
    ) -> bool:
        """Whether the reading is past the limit, beyond what chance explains; never for a NaN.

        Args:
            reading: The look's.
            start: The run's start.
            look: The number of the look in the run, counted from 1.
            kind: Of the reading; where left out, the package's of that name.
        """
        now = reading.estimate(self.reading)
        if math.isinf(now.value):
            # A model that has diverged: no interval, and no doubt either.
            return now.value < 0 if self.below is not None else now.value > 0
        excess = self._excess(now, start, self._kind(kind))
        margin = 0.0
        if self.alpha is not None:
            margin = half_width(excess.standard_error, excess.units, alpha=self.alpha, look=look)
        return excess.value < -margin if self.below is not None else excess.value > margin

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


def default_rules(*, sampling: bool = False) -> tuple[Threshold, ...]:
    """Rules that need no tuning: each sees another way of collapsing.

    * `tail_retention` below 0.85: rare tokens of human text have lost probability, however that
      came about. Noise that piles up over generations takes head and tail together, and so passes
      by the gap.
    * `tail_gap` above 0.20: the tail has lost while the head held or gained, which text drawn at a
      low temperature or from the likeliest tokens teaches. The loss can look fine.
    * `effective_vocabulary` below 0.80 of its start: fewer types carry the predictions on human
      text, rare or not.
    * `free_distinct_2` below 0.90 of its start: what the model writes by itself narrows, which it
      goes on to do where a share of human rows has its predictions on human text come to rest.
    * `free_rep_n_diversity` below 0.95 of its start: what it writes repeats itself.

    The last two come with `sampling` only. The limits are from the recursive fine-tuning example.
    Its five generations on human text took no reading half of the way to its limit (retention
    stayed above 0.96, the gap below 0.06, the effective vocabulary above 0.95 and the diversities
    above 0.99 of their start). On its own text the first three fire within 4 training steps,
    `free_distinct_2` in the second generation, and `free_rep_n_diversity` in the third; with 30%
    human rows in the fourth and the fifth, when retention is on its way back up.

    Each rule's false alarms are held to its own `alpha`; those of all five together to the sum.
    An alarm says that a truth has passed a limit, not why: fine-tuning on a domain that is far from
    the held-out text also takes probability from that text's tail. A control run on fresh human
    text of the same domain tells the two apart.

    Args:
        sampling: Whether the monitor lets the model write.
    """
    on_human_text = (
        Threshold("tail_retention", below=0.85, severity="critical"),
        Threshold("tail_gap", above=0.20),
        Threshold("effective_vocabulary", below=0.80, relative_to_start=True),
    )
    on_written_text = (
        Threshold("free_distinct_2", below=0.90, relative_to_start=True),
        Threshold("free_rep_n_diversity", below=0.95, relative_to_start=True),
    )
    return (*on_human_text, *(on_written_text if sampling else ()))


def flattening_rules() -> tuple[Threshold, ...]:
    """Rules for a model that becomes flatter than it was: `default_rules` seen in a mirror.

    A loss that takes back what a sampler did (`sampler_matched_loss`) has to know the sampler. Told
    of a temperature lower than the rows were drawn at, it teaches more than was taken away: rare
    tokens gain, and common ones pay for it. That is no collapse, and no default rule sees it, but
    each generation goes further, and perplexity with it. So add these where a loss is told how rows
    were drawn: `CollapseMonitor(panel, rules=[*default_rules(), *flattening_rules()])`.

    * `tail_gap` below -0.20: the tail has gained what the head has not. It is the first to see it.
    * `head_retention` below 0.85: common tokens of human text have lost probability, however that
      came about.
    * `effective_vocabulary` above 1.25 of its start: more types carry the predictions.

    The limits are those of `default_rules`, on the other side. In the recursive fine-tuning example
    rows were drawn at 0.8 and matched for five generations. Told 0.7, the gap read -0.19, -0.36 and
    -0.62 after one, two and five generations with 31% human rows, head retention 0.92, 0.85 and
    0.73, and the vocabulary 1.15, 1.29 and 1.50 of its start; without human rows one generation was
    enough for the gap. Told the truth, without human rows, the gap stayed above -0.06, head
    retention above 0.96 and the vocabulary below 1.03: sampling noise alone, which comes to -0.10
    and 0.91 after ten generations.

    False alarms are held as in `default_rules`, and an alarm does not say why here either: text of
    another domain takes probability from the head too, and from the tail less. Perplexity on the
    panel rises with all of these.
    """
    return (
        Threshold("tail_gap", below=-0.20),
        Threshold("head_retention", below=0.85),
        Threshold("effective_vocabulary", above=1.25, relative_to_start=True),
    )
