"""Readings of the log-probabilities that a model gives to held-out text, as it stands there."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from collapse_guard.errors import CollapseGuardError, bad_argument
from collapse_guard.readings.baseline import Baseline
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.panel import Panel
from collapse_guard.readings.panel_sums import BandDocuments, BandSums
from collapse_guard.statistics.estimates import (
    Estimate,
    difference,
    document_means,
    exponential,
    moved_on,
    ratio,
)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OfBands:
    """A reading of head and tail tokens alone, which is the cheap kind and is taken at each look.

    At a look at a part of the panel it is what it was at the last look at the whole, moved on by
    how far the same windows have moved since: what documents differ in cancels.

    Attributes:
        statistic: From sums by document to an estimate, linear in the sums.
        against: What the log-probabilities are told against: those at the "start", those of the
            model without its adapters ("base"), those of a "control" run, or None for themselves.
        is_logarithm: Whether the statistic is the logarithm of the reading.
    """

    statistic: Callable[[BandDocuments], Estimate]
    against: Literal["start", "base", "control"] | None = None
    is_logarithm: bool = False

    def __call__(self, evidence: Evidence) -> Estimate:
        """What it reads; NaN where the track of the control run does not go so far.

        Raises:
            ArgumentError: What it is told against was taken on another panel.
        """
        if self not in evidence.at_whole:
            evidence.at_whole[self] = self._at_whole(evidence)
        at_whole = evidence.at_whole[self]
        if evidence.moved is None:
            return at_whole
        return moved_on(at_whole, self.statistic(evidence.moved), is_logarithm=self.is_logarithm)

    def _at_whole(self, evidence: Evidence) -> Estimate:
        if self.against == "control" and evidence.control is None:
            return _nothing(evidence.panel)
        sums = evidence.sums
        band_sums = BandSums(sums.tail_logprob, sums.tail_prob, sums.head_logprob)
        if self.against is not None:
            other = _there(getattr(evidence, self.against), self.against)
            _check_panel(other, evidence.panel)
            band_sums = BandSums(
                sums.tail_logprob - np.array(other.tail_logprob),
                sums.tail_prob,
                sums.head_logprob - np.array(other.head_logprob),
            )
        estimate = self.statistic(BandDocuments.of(evidence.panel, band_sums))
        return exponential(estimate) if self.is_logarithm else estimate


def mean_tail_logprob(documents: BandDocuments) -> Estimate:
    """Mean over tail positions, clustered by document."""
    return ratio(documents.tail_logprob, documents.tail)


def mean_head_logprob(documents: BandDocuments) -> Estimate:
    """Mean over head positions, clustered by document."""
    return ratio(documents.head_logprob, documents.head)


def mean_tail_prob(documents: BandDocuments) -> Estimate:
    """Mean probability over tail positions, clustered by document."""
    return ratio(documents.tail_prob, documents.tail)


def tail_gain(documents: BandDocuments) -> Estimate:
    """Mean over documents of each one's mean over its tail positions: the log of retention.

    Args:
        documents: Log-probabilities against those of another model at the same positions.
    """
    return document_means(documents.tail_logprob, documents.tail, documents.weights)


def head_gain(documents: BandDocuments) -> Estimate:
    """As `tail_gain`, over head positions."""
    return document_means(documents.head_logprob, documents.head, documents.weights)


def tail_gap(documents: BandDocuments) -> Estimate:
    """What the tail has lost beyond the head: `head_gain` minus `tail_gain`."""
    return difference(head_gain(documents), tail_gain(documents))


def perplexity(evidence: Evidence) -> Estimate:
    """exp of the mean NLL over all positions."""
    logprob = evidence.by_document(evidence.whole.logprob)
    return exponential(ratio(-logprob, _positions(evidence, "all")))


def tail_mass_ratio(evidence: Evidence) -> Estimate:
    """Probability put on all tail types over their share of the text."""
    mass = evidence.by_document(evidence.whole.tail_mass)
    return ratio(mass, _positions(evidence, "tail"))


def predictive_entropy(evidence: Evidence) -> Estimate:
    """Mean entropy of the predicted distributions."""
    entropy = evidence.by_document(evidence.whole.entropy)
    return ratio(entropy, _positions(evidence, "all"))


def effective_vocabulary(evidence: Evidence) -> Estimate:
    """exp of the entropy of the average predicted distribution.

    The error is linearised at the average distribution, where the entropy's derivative in
    direction p is the cross-entropy of p, and taken over groups of documents (Wolter, 2007,
    chapter 2: the random group method).
    """
    group_distributions = evidence.whole.group_distributions
    average = group_distributions.sum(0) / group_distributions.sum()
    surprisal = -np.log(np.where(average > 0, average, 1.0))
    cross_entropy = ratio(group_distributions @ surprisal, group_distributions.sum(1))
    return exponential(cross_entropy)


def _positions(evidence: Evidence, band: str) -> Floats:
    return evidence.by_document(evidence.panel.position_counts[band])


def _nothing(panel: Panel) -> Estimate:
    return Estimate(math.nan, math.nan, np.zeros(panel.num_documents), 0.0)


def _there(other: Baseline | None, against: str) -> Baseline:
    if other is None:
        raise CollapseGuardError(f"there is no {against} yet to compare with.")
    return other


def _check_panel(baseline: Baseline, panel: Panel) -> None:
    if baseline.panel != panel.fingerprint:
        raise bad_argument(
            "baseline",
            expected=f"one taken on this panel ({panel.fingerprint})",
            given=f"one taken on panel {baseline.panel}",
            hint="call start() with the starting model, or use the panel that it was taken on",
        )
