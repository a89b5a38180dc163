"""From sums per window to readings, each with a standard error over documents."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from collapse_guard.errors import bad_argument
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.readings.at_positions import document_means, paired_readings
from collapse_guard.readings.baseline import Baseline
from collapse_guard.readings.panel_sums import BandSums, PanelScores
from collapse_guard.readings.reading import READINGS, Reading
from collapse_guard.statistics.estimates import (
    Estimate,
    difference,
    exponential,
    logarithm,
    ratio,
    total,
)

Floats = npt.NDArray[np.float64]

_NOTHING: Mapping[str, Estimate] = MappingProxyType({})


def take_baseline(
    panel: HeldOutPanel, scores: PanelScores, sampled: Mapping[str, Estimate] = _NOTHING
) -> Baseline:
    """The start of a run, from what the model that it starts with gives and writes."""
    itself = Baseline(
        panel.fingerprint,
        tuple(scores.tail_logprob.tolist()),
        tuple(scores.head_logprob.tolist()),
        Reading(0, {}, {}),
    )
    start = make_reading(panel, scores, itself, sampled, step=0)
    return Baseline(panel.fingerprint, itself.tail_logprob, itself.head_logprob, start)


def make_reading(
    panel: HeldOutPanel,
    scores: PanelScores,
    baseline: Baseline,
    beside: Mapping[str, Estimate] = _NOTHING,
    *,
    step: int,
    base: Baseline | None = None,
) -> Reading:
    """All readings of one look at a whole panel.

    Args:
        panel: The held-out text.
        scores: What the model gave on it.
        baseline: What the run's starting model gave on it.
        beside: Readings from elsewhere, of what the model wrote for one.
        step: The training step to name it by.
        base: What the model gave on it without its adapters, for the readings of `BASE_READINGS`.

    Raises:
        ArgumentError: The baseline was taken on another panel.
    """
    by_document = _ByDocument(panel, np.ones(len(panel)))
    estimates = _band_estimates(panel, scores, baseline, base) | {
        "perplexity": exponential(ratio(-by_document(scores.logprob), by_document.positions)),
        "tail_mass_ratio": ratio(by_document(scores.tail_mass), by_document.tail),
        "effective_vocabulary": _effective_vocabulary(scores.group_distributions),
        "predictive_entropy": ratio(by_document(scores.entropy), by_document.positions),
    }
    in_order = {name: estimates.pop(name) for name in READINGS}
    return Reading.of(step, in_order | estimates | dict(beside))


def make_band_reading(
    panel: HeldOutPanel,
    whole: BandSums,
    latest: BandSums,
    freshness: Floats,
    baseline: Baseline,
    *,
    step: int,
    base: Baseline | None = None,
    beside: Mapping[str, Estimate] = _NOTHING,
) -> Reading:
    """The readings of `BAND_READINGS`, from a look at the whole panel and what moved since.

    Args:
        panel: The held-out text.
        whole: What the model gave on each window at the last look at all of them.
        latest: What it gave on each window when that was last looked at.
        freshness: float64 of shape (windows,), from 0 to 1: how much the movement of each window
            counts; 0 for those that were not looked at since.
        baseline: As in `make_reading`.
        step: As in `make_reading`.
        base: As in `make_reading`.
        beside: As in `make_reading`.

    Raises:
        ArgumentError: The baseline was taken on another panel.
    """
    estimates = _band_estimates(panel, whole, baseline, base)
    if freshness.any():
        estimates = _moved_on(estimates, panel, whole, latest, freshness)
    return Reading.of(step, estimates | dict(beside), is_full=False)


class _ByDocument:
    """Sums over the windows of each document, each window weighted by its freshness."""

    def __init__(self, panel: HeldOutPanel, freshness: Floats) -> None:
        self._owners = panel.document_ids.numpy()
        self._freshness = freshness
        counts = panel.position_counts
        self.positions, self.tail, self.head = (
            self(counts[band]) for band in ("all", "tail", "head")
        )
        self.weights = self(np.ones_like(freshness)) / np.bincount(self._owners)

    def __call__(self, per_window: Floats) -> Floats:
        sums = np.bincount(self._owners, weights=per_window * self._freshness)
        return sums.astype(np.float64, copy=False)


def _band_estimates(
    panel: HeldOutPanel,
    sums: BandSums | PanelScores,
    baseline: Baseline,
    base: Baseline | None,
) -> dict[str, Estimate]:
    by_document = _ByDocument(panel, np.ones(len(panel)))

    def paired(other: Baseline) -> dict[str, Estimate]:
        _check_panel(other, panel)
        return paired_readings(
            by_document(sums.tail_logprob - np.array(other.tail_logprob)),
            by_document.tail,
            by_document(sums.head_logprob - np.array(other.head_logprob)),
            by_document.head,
        )

    against_base = {} if base is None else paired(base)
    return {
        "tail_logprob": ratio(by_document(sums.tail_logprob), by_document.tail),
        "head_logprob": ratio(by_document(sums.head_logprob), by_document.head),
        "tail_prob": ratio(by_document(sums.tail_prob), by_document.tail),
        **paired(baseline),
        **{f"{name}_vs_base": estimate for name, estimate in against_base.items()},
    }


def _moved_on(
    estimates: Mapping[str, Estimate],
    panel: HeldOutPanel,
    whole: BandSums,
    latest: BandSums,
    freshness: Floats,
) -> dict[str, Estimate]:
    """The estimates of a look at the whole panel, with what the model has moved since."""
    by_document = _ByDocument(panel, freshness)
    tail_moved = by_document(latest.tail_logprob - whole.tail_logprob)
    head_moved = by_document(latest.head_logprob - whole.head_logprob)
    prob_moved = by_document(latest.tail_prob - whole.tail_prob)
    of_tail = document_means(tail_moved, by_document.tail, by_document.weights)
    of_head = document_means(head_moved, by_document.head, by_document.weights)
    moved = {
        "tail_logprob": ratio(tail_moved, by_document.tail),
        "head_logprob": ratio(head_moved, by_document.head),
        "tail_prob": ratio(prob_moved, by_document.tail),
        "tail_retention": of_tail,
        "head_retention": of_head,
        "tail_gap": difference(of_head, of_tail),
    }
    now = {}
    for name, at_whole in estimates.items():
        since = moved[name.removesuffix("_vs_base")]
        if "retention" in name:
            now[name] = exponential(total(logarithm(at_whole), since))
        else:
            now[name] = total(at_whole, since)
    return now


def _check_panel(baseline: Baseline, panel: HeldOutPanel) -> None:
    if baseline.panel != panel.fingerprint:
        raise bad_argument(
            "baseline",
            expected=f"one taken on this panel ({panel.fingerprint})",
            given=f"one taken on panel {baseline.panel}",
            hint="call start() with the starting model, or use the panel that it was taken on",
        )


def _effective_vocabulary(group_distributions: Floats) -> Estimate:
    """exp of the entropy of the average predicted distribution.

    The error is linearised at the average distribution, where the entropy's derivative in
    direction p is the cross-entropy of p, and taken over groups of documents (Wolter, 2007,
    chapter 2: the random group method).
    """
    average = group_distributions.sum(0) / group_distributions.sum()
    surprisal = -np.log(np.where(average > 0, average, 1.0))
    cross_entropy = ratio(group_distributions @ surprisal, group_distributions.sum(1))
    return exponential(cross_entropy)
