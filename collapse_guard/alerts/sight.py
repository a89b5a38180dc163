"""What rules can see: the smallest change that each finds."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from collapse_guard.alerts.documents import ENOUGH, Documents, all_documents, fewest_documents
from collapse_guard.alerts.rules import Threshold
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.readings.panel import Panel
from collapse_guard.readings.reading import Reading
from collapse_guard.readings.teacher_forced import OfBands
from collapse_guard.statistics.estimates import Estimate
from collapse_guard.statistics.foreseen_reach import LOOKS, foreseen_reach
from collapse_guard.statistics.overflow import MOST_NATS

logger = logging.getLogger("collapse_guard")

ASSUMED_SPREAD = 0.25
"""Nats by which documents are taken to differ until it is measured: full fine-tunings on WikiText
spread theirs by 0.16 to 0.33."""

FEWEST_PROMISED = 10
"""Documents from which on something is promised."""


@dataclass(frozen=True)
class Sight:
    """What a rule can see on a panel.

    Attributes:
        rule: The rule in words, such as "tail_retention below 0.85".
        reading: Name of the reading.
        documents: The independent documents of equal weight that the rule goes by: those that have
            tokens of the kind that it is about. Of a rule beside another, the fewer of the two.
        spread: By how much documents differ: in nats where the rule compares logarithms, else in
            the reading's unit; NaN where that is neither assumed nor measured.
        is_measured: Whether the spread is that of a look, and not assumed.
        finds: The truth that the rule finds within 100 looks at the whole panel with a probability
            of one half, as a number to be compared with the rule's own limit; NaN where nothing is
            promised.
        smallest_loss: How far that is from where the reading starts: a share of the start, from 0
            to 1 for a loss, or nats for `tail_gap`, which starts at 0; NaN where nothing is
            promised, and where no start is known before the run.
        message: All that as a sentence for people, with what to add.
    """

    rule: str
    reading: str
    documents: float
    spread: float
    is_measured: bool
    finds: float
    smallest_loss: float
    message: str

    def __str__(self) -> str:
        return self.message

    @property
    def is_short(self) -> bool:
        """Whether there are too few documents to rely on: fewer than 30."""
        return self.documents < ENOUGH


def tell(found: Iterable[Sight]) -> None:
    """Say in the log what rules can see, and warn of the one with the fewest documents below 30."""
    found = tuple(found)
    if found:
        logger.info("what rules can see:\n%s", "\n".join(f"- {each.message}" for each in found))
    short = [each for each in found if each.is_short]
    if short:
        logger.warning(
            "%d of %d rules can see little, of which `sight` tells. %s",
            len(short),
            len(found),
            min(short, key=lambda each: each.documents).message,
        )


def sights(
    rules: Sequence[Threshold],
    kinds: Sequence[ReadingKind],
    panel: Panel,
    *,
    look: Reading | None = None,
    start: Reading | None = None,
) -> tuple[Sight, ...]:
    """What each rule can see, as far as its documents are known.

    Rules that compare bare values have none, nor have those on what the model writes and on rows
    that it trains on, which are not of the panel.

    Args:
        rules: The rules.
        kinds: What is read.
        panel: The held-out data.
        look: The last look at the whole panel, from which it is measured how documents differ; None
            to assume 0.25 nats for what is compared with a start.
        start: The readings of the run's start.
    """
    over, by_name = all_documents(rules, kinds, panel), {kind.name: kind for kind in kinds}
    found = []
    for rule in rules:
        kind = by_name[rule.reading]
        if rule.alpha is None or kind.needs in ("sampling", "prequential"):
            continue
        past = _measured(rule, kind, look, start)
        documents = fewest_documents(rule, over)
        if documents is None and past is not None:
            # One of the user's, whose documents are known once it is taken.
            documents = Documents(past.units, round(past.units), panel.num_documents, "")
        if documents is not None:
            found.append(_sight(rule, kind, documents, past, start))
    return tuple(found)


def _measured(
    rule: Threshold, kind: ReadingKind, look: Reading | None, start: Reading | None
) -> Estimate | None:
    if look is None or rule.reading not in look or (rule.relative_to_start and start is None):
        return None
    past = rule.past(look, look if start is None else start, kind=kind)
    # Compared with itself a start has no spread, and a mere number has no documents.
    is_spread = len(past.influences) > 0 and 0 < past.standard_error < math.inf
    return past if is_spread and 1 < past.units < math.inf else None


def _sight(
    rule: Threshold,
    kind: ReadingKind,
    documents: Documents,
    past: Estimate | None,
    start: Reading | None,
) -> Sight:
    spread = ASSUMED_SPREAD if _is_compared(rule, kind) else math.nan
    if past is not None:
        spread = past.standard_error * math.sqrt(past.units)
    began = start[rule.reading] if start is not None and rule.reading in start else math.nan
    found_by = partial(_found_by, rule, kind, spread, began)
    starts_at, finds = _starts_at(rule, kind), math.nan
    if documents.units >= FEWEST_PROMISED:
        finds = found_by(documents.units)
    return Sight(
        rule=str(rule),
        reading=rule.reading,
        documents=documents.units,
        spread=spread,
        is_measured=past is not None,
        finds=finds,
        smallest_loss=math.nan if starts_at is None else abs(finds - starts_at),
        message=" ".join(
            [
                f"{rule} {_finding(rule, finds, starts_at, documents)}: {documents.sentence}"
                f"{_differing(finds, spread, past)}.",
                *_adding(rule, found_by, starts_at, documents),
            ]
        ),
    )


def _found_by(
    rule: Threshold, kind: ReadingKind, spread: float, began: float, units: float
) -> float:
    """What a rule finds with so many documents, on the scale of its limit."""
    chance = foreseen_reach(rule.alpha or 0.0, units) * spread / math.sqrt(units)
    side = -1.0 if rule.below is not None else 1.0
    limit = rule.limit({rule.reading: 1.0})
    if kind.on_log_scale and limit > 0:
        return limit * math.exp(min(side * chance, MOST_NATS))
    return limit + side * (chance / began if rule.relative_to_start else chance)


def _finding(rule: Threshold, finds: float, starts_at: float | None, documents: Documents) -> str:
    if documents.units < FEWEST_PROMISED:
        return f"promises nothing, since {FEWEST_PROMISED} documents are the least to tell chance"
    if math.isnan(finds):
        return "finds what is told once a look has measured how documents differ"
    return f"finds {_in_words(rule, finds, starts_at)} within {LOOKS} looks in half of all runs"


def _differing(finds: float, spread: float, past: Estimate | None) -> str:
    if math.isnan(finds):
        return ""
    if past is not None:
        return f", and documents differ by {spread:.2g} so far"
    return f", and documents are taken to differ by {spread} nats until that is measured"


def _adding(
    rule: Threshold,
    found_by: Callable[[float], float],
    starts_at: float | None,
    documents: Documents,
) -> Iterator[str]:
    """What to do to see more, and how much that is."""
    is_short = documents.units < ENOUGH
    if is_short:
        yield f"{documents.more[0].upper()}{documents.more[1:]}."
    with_more = ENOUGH if is_short else 4 * math.floor(documents.units)
    more = found_by(with_more)
    if with_more <= documents.most and not math.isnan(more):
        yield f"With {with_more} documents it would find {_in_words(rule, more, starts_at)}."


def _is_compared(rule: Threshold, kind: ReadingKind) -> bool:
    """Whether it is the logarithms of two models that are compared, document by document."""
    is_paired = isinstance(kind.take, OfBands) and kind.take.against is not None
    return is_paired or (rule.relative_to_start and kind.on_log_scale)


def _starts_at(rule: Threshold, kind: ReadingKind) -> float | None:
    """Where a run starts, on the scale of the rule's limit; None where that is not known."""
    if rule.relative_to_start:
        return 1.0
    if isinstance(kind.take, OfBands) and kind.take.against is not None:
        return 1.0 if kind.take.is_logarithm else 0.0
    return None


def _in_words(rule: Threshold, finds: float, starts_at: float | None) -> str:
    if starts_at == 1.0 and rule.below is not None and finds < 1.0:
        return f"a loss of {1.0 - finds:.0%}"
    if starts_at == 1.0 and rule.above is not None and finds > 1.0:
        return f"a gain of {finds - 1.0:.0%}"
    return f"a {rule.reading} of {finds:.3g}{' times its start' if rule.relative_to_start else ''}"
