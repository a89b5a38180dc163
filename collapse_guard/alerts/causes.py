"""Why a reading may have moved: what the other readings of the look say."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

CauseName = Literal[
    "narrowing", "flattening", "domain shift", "forgetting", "adaptation", "not told apart"
]

NATS = 0.25
"""Of the predictive entropy: less is taken for nothing. Fresh human text moved it by up to
0.16 in the runs that causes are tested on, and drawn text by 0.7 and more (docs/alerts.md)."""

SHARE = 0.10
"""Of a retention, the vocabulary, distinct-2 or the perplexity: less is taken for nothing."""


@dataclass(frozen=True)
class Cause:
    """What most likely lies behind an alert.

    Attributes:
        name: "narrowing", "flattening", "domain shift", "forgetting", "adaptation", or
            "not told apart".
        reason: One sentence with the numbers that say so.
        advice: One sentence on what to do.
    """

    name: CauseName
    reason: str
    advice: str

    def __str__(self) -> str:
        return f"{self.reason} {self.advice}"


def likely_cause(reading: Mapping[str, float], start: Mapping[str, float]) -> Cause:
    """Name the likely cause of what a look at the whole panel reads.

    Five things take probability from rare tokens of held-out text, or give it to them, and each
    moves the other readings in a way of its own:

    * *narrowing*: predictions or what the model writes become less varied, while common tokens keep
      what they had. Text drawn at a low temperature, or cut to its likeliest tokens, teaches that.
    * *flattening*: predictions become more varied, and rare tokens gain what common ones lose. A
      loss that takes a sampler for colder than it was teaches that.
    * *domain shift*: common tokens lose as much as rare ones or more, and predictions are less
      sure: the model learns text of another kind.
    * *forgetting*: rare tokens lose most, common ones too, and perplexity rises, while predictions
      are no more varied than before. Overfitting looks like that, so does text of another kind
      that is easier to predict, and so does the noise of drawing few rows, generation after
      generation: a control run on human text tells them apart.
    * *adaptation*: perplexity on the panel falls: the model becomes better at this kind of text,
      and what rare tokens lose common ones gain.

    Args:
        reading: Of a look at the whole panel; a reading that is missing says nothing.
        start: Of the run's start.

    Returns:
        The cause; "not told apart" where readings do not agree or are missing.

    Example:
        >>> start = {"tail_retention": 1.0, "head_retention": 1.0, "predictive_entropy": 3.63,
        ...     "effective_vocabulary": 444.0, "perplexity": 67.0}
        >>> now = {"tail_retention": 0.53, "head_retention": 1.05, "predictive_entropy": 3.11,
        ...     "effective_vocabulary": 305.0, "perplexity": 71.0}
        >>> likely_cause(now, start).name
        'narrowing'
    """
    moved = _Moved(reading, start)
    for name, pattern in _PATTERNS:
        if pattern(moved):
            return Cause(name, f"{_WORDS[name][0]}: {moved}.", _WORDS[name][1])
    return Cause("not told apart", f"What the cause is was not told apart: {moved}.", _UNKNOWN)


class _Moved:
    """What moved since the start, as far as it was read; comparisons with NaN are false."""

    def __init__(self, reading: Mapping[str, float], start: Mapping[str, float]) -> None:
        def of(name: str) -> float:
            return reading.get(name, math.nan)

        def over(name: str) -> float:
            began = start.get(name, math.nan)
            return of(name) / began if began else math.nan

        self.tail, self.head = of("tail_retention"), of("head_retention")
        self.perplexity = over("perplexity")
        self.entropy = of("predictive_entropy") - start.get("predictive_entropy", math.nan)
        self.vocabulary, self.distinct = over("effective_vocabulary"), over("free_distinct_2")

    @property
    def is_narrower(self) -> bool:
        return (
            self.entropy < -NATS or self.vocabulary < 1 - SHARE or self.distinct < 1 - SHARE
        ) and not self.is_wider

    @property
    def is_wider(self) -> bool:
        return self.entropy > NATS

    def __str__(self) -> str:
        told: Sequence[tuple[str, float, str]] = (
            ("rare tokens keep", self.tail, "{:.2f}"),
            ("common ones", self.head, "{:.2f}"),
            ("perplexity is", self.perplexity, "{:.2f} times its start"),
            ("predictive entropy", self.entropy, "{:+.2f} nats"),
            ("effective vocabulary", self.vocabulary, "{:.2f} of its start"),
            ("distinct-2 of free text", self.distinct, "{:.2f} of its start"),
        )
        known = [f"{what} {form.format(value)}" for what, value, form in told if value == value]
        return ", ".join(known) if known else "none of the readings that tell was taken"


def _narrowing(moved: _Moved) -> bool:
    return moved.is_narrower and moved.head > 1 - SHARE and not moved.tail > 1 + SHARE


def _flattening(moved: _Moved) -> bool:
    return moved.is_wider and moved.tail > moved.head and moved.tail > 1 - SHARE


def _domain_shift(moved: _Moved) -> bool:
    return moved.is_wider and moved.head < 1 - SHARE and moved.perplexity > 1 + SHARE


def _forgetting(moved: _Moved) -> bool:
    return moved.tail < 1 - SHARE and moved.tail < moved.head and moved.perplexity > 1 + SHARE


def _adaptation(moved: _Moved) -> bool:
    return moved.perplexity < 1.0 and not moved.is_narrower


_PATTERNS: tuple[tuple[CauseName, Callable[[_Moved], bool]], ...] = (
    ("adaptation", _adaptation),
    ("narrowing", _narrowing),
    ("flattening", _flattening),
    ("domain shift", _domain_shift),
    ("forgetting", _forgetting),
)

_UNKNOWN = "Compare with a control run on fresh human text of the panel's kind."

_WORDS: Mapping[CauseName, tuple[str, str]] = {
    "narrowing": (
        "This looks like narrowing, as by text drawn at a low temperature or cut to likely tokens",
        "Match the loss to the sampler that drew the rows, or raise the share of human rows.",
    ),
    "flattening": (
        "This looks like flattening, as by a loss that takes a sampler for colder than it was",
        "Have the decoding of the drawn rows found again.",
    ),
    "domain shift": (
        "This looks like a shift to text of another kind than the panel's",
        "Hold out text like what the model is to be good at, or train on some of the panel's kind.",
    ),
    "forgetting": (
        "This looks like forgetting, by overfitting, by text of another kind or by the noise of "
        "few drawn rows",
        "Train for fewer steps or on more human rows; a control run on human text tells which.",
    ),
    "adaptation": (
        "This looks like a model that gets better at the panel's kind of text",
        "Nothing has to be done, unless rare content is what you train for.",
    ),
}
