"""Which documents rules go by, and which rules have too few of them to ever fire."""

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from collapse_guard.alerts.rules import Threshold
from collapse_guard.errors import bad_argument
from collapse_guard.readings import teacher_forced
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.readings.panel import Panel
from collapse_guard.readings.panel_sums import DOCUMENT_GROUPS, BandDocuments, BandSums
from collapse_guard.readings.teacher_forced import OfBands
from collapse_guard.statistics.estimates import Estimate, ratio
from collapse_guard.statistics.supremum_boundary import FEWEST_DOCUMENTS

logger = logging.getLogger("collapse_guard")

ENOUGH = 30
"""Documents that are to be had; with fewer than `FEWEST_DOCUMENTS` a rule never fires."""

_OF_WHOLE_PANEL: tuple[tuple[Callable[..., Estimate], str, float], ...] = (
    (teacher_forced.perplexity, "all", math.inf),
    (teacher_forced.predictive_entropy, "all", math.inf),
    (teacher_forced.effective_vocabulary, "all", DOCUMENT_GROUPS),
    (teacher_forced.tail_mass_ratio, "tail", math.inf),
)
"""What takes readings of the whole panel, the positions that they are over, and how many documents
they tell apart."""


class Documents(NamedTuple):
    """What a reading is over.

    Attributes:
        units: As many documents of equal weight (Kish's effective number).
        holding: Documents that have tokens of its kind.
        of: Documents of the panel.
        tokens: The kind of these: "tail", "head", or "" for any.
        most: So many can be told apart: more are worth no more.
    """

    units: float
    holding: int
    of: int
    tokens: str
    most: float = math.inf

    @property
    def sentence(self) -> str:
        """How many there are."""
        told = f"the panel has {self.of} independent documents"
        if self.tokens:
            some = "all" if self.holding == self.of else self.holding
            told = (
                f"{some} of the panel's {self.of} independent documents have {self.tokens} tokens"
            )
        alike = math.floor(self.units + 0.5)
        return f"{told} (worth {alike} of equal weight)" if alike < self.holding else told

    @property
    def more(self) -> str:
        """What to do to have enough."""
        lacking = ENOUGH - math.floor(self.units)
        some = f" with {self.tokens} tokens" if self.tokens else ""
        wider = self.tokens == "tail" and self.of >= ENOUGH
        other = ", or give the reference a larger tail_mass" if wider else ""
        return f"hold out {lacking} or more further documents{some}{other}"


def documents_of(kind: ReadingKind, panel: Panel) -> Documents | None:
    """The documents that a reading will be over, before anything is looked at.

    Args:
        kind: Of the reading.
        panel: The held-out data.

    Returns:
        None for a reading of something else than the panel's head, tail or all of its tokens.
    """
    if isinstance(kind.take, OfBands):
        return _of_bands(kind.take, panel)
    for take, band, most in _OF_WHOLE_PANEL:
        if kind.take is take:
            owners, positions = panel.document_ids.numpy(), panel.position_counts[band]
            counts = np.bincount(owners, weights=positions).astype(np.float64, copy=False)
            units = min(ratio(np.zeros_like(counts), counts).units, most)
            return _documents(panel, units, band, counts)._replace(most=most)
    return None


def _of_bands(take: OfBands, panel: Panel) -> Documents:
    nothing = np.zeros(len(panel))
    every = BandDocuments.of(panel, BandSums(nothing, nothing, nothing))
    units = take.statistic(every).units
    counts = {"tail": every.tail, "head": every.head}
    # A band is of concern where the reading is over other documents without it.
    used = [
        band
        for band in counts
        if take.statistic(replace(every, **{band: np.zeros_like(every.tail)})).units != units
    ]
    band = min(used, key=lambda band: np.count_nonzero(counts[band]), default="all")
    return _documents(panel, units, band, counts.get(band, every.weights))


def _documents(panel: Panel, units: float, band: str, per_document: Any) -> Documents:
    count = int(np.count_nonzero(per_document))
    return Documents(units, count, panel.num_documents, "" if band == "all" else band)


def all_documents(
    rules: Iterable[Threshold], kinds: Iterable[ReadingKind], panel: Panel
) -> dict[str, Documents]:
    """What `documents_of` knows of the readings that rules are about, by name."""
    held = {each.reading for rule in rules for each in rule.held}
    every = {kind.name: documents_of(kind, panel) for kind in kinds if kind.name in held}
    return {name: documents for name, documents in every.items() if documents is not None}


def fewest_documents(rule: Threshold, over: Mapping[str, Documents]) -> Documents | None:
    """The fewest that one of the readings is over which have to be past their limits.

    Args:
        rule: The rule, perhaps beside another.
        over: What readings are over, by name.

    Returns:
        None where that is not known.
    """
    held = [each.reading for each in rule.held if each.alpha is not None]
    return min((over[name] for name in held if name in over), default=None)


def blind(
    rules: Sequence[Threshold], kinds: Iterable[ReadingKind], panel: Panel
) -> dict[Threshold, Documents]:
    """The rules that can never fire, since what they are about stands in too few documents.

    Rules that compare bare values (`alpha=None`) always can.

    Args:
        rules: The rules.
        kinds: What is read.
        panel: The held-out data.

    Returns:
        What each of them is over.
    """
    over = all_documents(rules, kinds, panel)
    fewest = {rule: fewest_documents(rule, over) for rule in rules}
    return {
        rule: found
        for rule, found in fewest.items()
        if found is not None and found.units < FEWEST_DOCUMENTS
    }


def check_can_fire(rules: Sequence[Threshold], kinds: Iterable[ReadingKind], panel: Panel) -> None:
    """Refuse rules that can never fire.

    Args:
        rules: As of `blind`, as are the others.
        kinds: As of `blind`.
        panel: As of `blind`.

    Raises:
        ArgumentError: There is one.
    """
    for rule, documents in blind(rules, kinds, panel).items():
        raise bad_argument(
            "rules",
            expected=f"rules about tokens that stand in {FEWEST_DOCUMENTS} independent documents "
            "or more",
            given=str(rule),
            hint=f"{documents.more}: {documents.sentence}, so that it could never fire; leave it "
            "out, or give it alpha=None to compare bare values",
        )


def without_blind(
    rules: Sequence[Threshold], kinds: Iterable[ReadingKind], panel: Panel
) -> list[Threshold]:
    """The rules that can fire; the log tells which are left out.

    Args:
        rules: As of `blind`, as are the others.
        kinds: As of `blind`.
        panel: As of `blind`.
    """
    left_out = blind(rules, kinds, panel)
    for rule, documents in left_out.items():
        logger.warning(
            "the rule %s is left out, since it could never fire: %s. It takes %d, and %d to be "
            "relied on: %s.",
            rule,
            documents.sentence,
            FEWEST_DOCUMENTS,
            ENOUGH,
            documents.more,
        )
    return [rule for rule in rules if rule not in left_out]
