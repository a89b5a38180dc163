"""The readings of a look at held-out human text, each with a standard error over documents."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.errors import bad_argument
from collapse_guard.estimates import Estimate, exponential, ratio
from collapse_guard.panel import HeldOutPanel
from collapse_guard.panel_scores import PanelScores
from collapse_guard.position_readings import paired_readings

Floats = npt.NDArray[np.float64]

READINGS: Mapping[str, str] = MappingProxyType(
    {
        "perplexity": "exp of the mean NLL over all positions",
        "tail_logprob": "mean log-probability of the tail tokens, in nats",
        "head_logprob": "mean log-probability of the head tokens, in nats",
        "tail_prob": "mean probability of the tail tokens",
        "tail_retention": "geometric share of the start's tail probability that is left (1 = all)",
        "head_retention": "geometric share of the start's head probability that is left (1 = all)",
        "tail_gap": "log head_retention - log tail_retention: what the tail lost beyond the head",
        "tail_mass_ratio": "mass put on tail types over their share of the text (1 = calibrated)",
        "effective_vocabulary": "exp of the entropy of the average predicted distribution",
        "predictive_entropy": "mean entropy of the predicted distributions, in nats",
    }
)
"""Every teacher-forced reading, and what it is."""


@dataclass(frozen=True)
class Baseline:
    """A run's start, against which retention is paired and relative limits are set.

    Sums per window are enough for pairing: the mean of paired differences over the same positions
    is the difference of means.

    Attributes:
        panel: Fingerprint of the panel that was looked at.
        tail_logprob: Summed log-probability of the tail positions of each window, in nats.
        head_logprob: The same of the head positions.
        readings: Every reading at the start.
    """

    panel: str
    tail_logprob: tuple[float, ...]
    head_logprob: tuple[float, ...]
    readings: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The baseline in plain JSON types."""
        return {**asdict(self), "readings": dict(self.readings)}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "Baseline":
        """The inverse of `to_dict`, also after a round trip through JSON."""
        return cls(
            panel=state["panel"],
            tail_logprob=tuple(state["tail_logprob"]),
            head_logprob=tuple(state["head_logprob"]),
            readings=dict(state["readings"]),
        )


@dataclass(frozen=True)
class Reading(Mapping[str, float]):
    """All readings of one look, as a frozen mapping from name to value.

    Attributes:
        step: The training step after which the look was taken.
        values_by_name: The values, by the names in `READINGS`, and in `SAMPLED_READINGS` where
            the model was let write.
        standard_errors: Their standard errors over documents; NaN where there is none.

    Example:
        >>> reading = Reading(8, {"tail_retention": 0.9}, {"tail_retention": 0.01})
        >>> reading["tail_retention"], reading.interval("tail_retention", z=2.0)
        (0.9, (0.88, 0.92))
    """

    step: int
    values_by_name: Mapping[str, float]
    standard_errors: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)

    def interval(self, name: str, *, z: float) -> tuple[float, float]:
        """Value plus and minus `z` standard errors; the value twice where it has no error."""
        error = self.standard_errors.get(name, math.nan)
        width = 0.0 if math.isnan(error) else z * error
        return self[name] - width, self[name] + width


SampledValues = Mapping[str, tuple[float, float]]
"""Sampled readings by name: value and standard error."""

_NOT_SAMPLED: SampledValues = MappingProxyType({})


def take_baseline(
    panel: HeldOutPanel, scores: PanelScores, sampled: SampledValues = _NOT_SAMPLED
) -> Baseline:
    """The start of a run, from what the model that it starts with gives and writes."""
    tail, head = scores.tail_logprob.tolist(), scores.head_logprob.tolist()
    paired_with_itself = Baseline(panel.fingerprint, tuple(tail), tuple(head), {})
    start = make_reading(panel, scores, paired_with_itself, sampled, step=0)
    return Baseline(panel.fingerprint, tuple(tail), tuple(head), dict(start))


def make_reading(
    panel: HeldOutPanel,
    scores: PanelScores,
    baseline: Baseline,
    sampled: SampledValues = _NOT_SAMPLED,
    *,
    step: int,
) -> Reading:
    """All readings of one look at a panel.

    Args:
        panel: The held-out text.
        scores: What the model gave on it.
        baseline: What the run's starting model gave on it.
        sampled: Readings of what the model wrote, where it was let write.
        step: The training step to name it by.

    Raises:
        ArgumentError: The baseline was taken on another panel.
    """
    if baseline.panel != panel.fingerprint:
        raise bad_argument(
            "baseline",
            expected=f"one taken on this panel ({panel.fingerprint})",
            given=f"one taken on panel {baseline.panel}",
            hint="call start() with the starting model, or use the panel that it was taken on",
        )

    def by_document(per_window: Floats) -> Floats:
        return np.bincount(panel.document_ids.numpy(), weights=per_window).astype(np.float64)

    positions = by_document(panel.positions.sum(1).numpy().astype(np.float64))
    tail = by_document(panel.tail_positions.sum(1).numpy().astype(np.float64))
    head = by_document(panel.head_positions.sum(1).numpy().astype(np.float64))
    paired = paired_readings(
        by_document(scores.tail_logprob - np.array(baseline.tail_logprob)),
        tail,
        by_document(scores.head_logprob - np.array(baseline.head_logprob)),
        head,
    )
    estimates = {
        "perplexity": exponential(ratio(-by_document(scores.logprob), positions)),
        "tail_logprob": ratio(by_document(scores.tail_logprob), tail),
        "head_logprob": ratio(by_document(scores.head_logprob), head),
        "tail_prob": ratio(by_document(scores.tail_prob), tail),
        **paired,
        "tail_mass_ratio": ratio(by_document(scores.tail_mass), tail),
        "effective_vocabulary": _effective_vocabulary(scores.group_distributions),
        "predictive_entropy": ratio(by_document(scores.entropy), positions),
    }
    return Reading(
        step,
        MappingProxyType(
            {name: estimates[name].value for name in READINGS}
            | {name: value for name, (value, _) in sampled.items()}
        ),
        MappingProxyType(
            {name: estimates[name].standard_error for name in READINGS}
            | {name: error for name, (_, error) in sampled.items()}
        ),
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
