"""The readings of a look at held-out human text: their names, and how they are handed on."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from collapse_guard.statistics.estimates import Estimate

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

PAIRED_READINGS = ("tail_retention", "head_retention", "tail_gap")
"""Readings that compare two models at the same positions."""

BAND_READINGS = ("tail_logprob", "head_logprob", "tail_prob", *PAIRED_READINGS)
"""Readings that need the log-probabilities of head and tail tokens alone: the cheap ones."""

BASE_READINGS: Mapping[str, str] = MappingProxyType(
    {
        f"{name}_vs_base": f"{READINGS[name]}, against the model without its adapters"
        for name in PAIRED_READINGS
    }
)
"""Readings against the model without its adapters in place of the run's start."""

PREQUENTIAL_READINGS: Mapping[str, str] = MappingProxyType(
    {
        f"{name}_prequential": f"{READINGS[name]}, of human rows before the model learns from them"
        for name in (
            "perplexity",
            "tail_logprob",
            "head_logprob",
            "tail_prob",
            *PAIRED_READINGS,
        )
    }
)
"""Readings of the training's own passes over human rows that it sees for the first time."""

_NO_INFLUENCES: Floats = np.zeros(0)


@dataclass(frozen=True)
class Reading(Mapping[str, float]):
    """What one look read, as a frozen mapping from name to value; empty where nobody looked.

    Attributes:
        step: The training step after which the look was taken.
        values_by_name: The values, by the names in `READINGS`, in `BASE_READINGS` where the model
            without its adapters is compared with, and in `SAMPLED_READINGS` where the model was
            let write. A look at a part of the panel has those of `BAND_READINGS` alone, and of
            them against the model without its adapters, and prequential ones.
        standard_errors: Their standard errors over documents; NaN where there is none.
        units: How many documents of equal weight each is over; infinite where that is unknown.
        influences: float64 of shape (documents,): what each document contributes to each error.
        is_full: Whether the whole panel was looked at. Else the values are exponentially weighted
            by how long ago each window was looked at (see `Rotation`).

    Example:
        >>> reading = Reading(8, {"tail_retention": 0.9}, {"tail_retention": 0.01})
        >>> reading["tail_retention"], reading.interval("tail_retention", z=2.0)
        (0.9, (0.88, 0.92))
    """

    step: int
    values_by_name: Mapping[str, float]
    standard_errors: Mapping[str, float]
    units: Mapping[str, float] = field(default_factory=dict)
    influences: Mapping[str, Floats] = field(default_factory=dict, compare=False, repr=False)
    is_full: bool = True

    @classmethod
    def of(cls, step: int, estimates: Mapping[str, Estimate], *, is_full: bool = True) -> "Reading":
        """The reading that is made of these estimates."""
        return cls(
            step,
            MappingProxyType({name: each.value for name, each in estimates.items()}),
            MappingProxyType({name: each.standard_error for name, each in estimates.items()}),
            MappingProxyType({name: each.units for name, each in estimates.items()}),
            MappingProxyType({name: each.influences for name, each in estimates.items()}),
            is_full,
        )

    def __getitem__(self, name: str) -> float:
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)

    def estimate(self, name: str) -> Estimate:
        """One value with everything that is known of its error."""
        return Estimate(
            self[name],
            self.standard_errors.get(name, math.nan),
            self.influences.get(name, _NO_INFLUENCES),
            self.units.get(name, math.inf),
        )

    def interval(self, name: str, *, z: float) -> tuple[float, float]:
        """Value plus and minus `z` standard errors; the value twice where it has no error."""
        error = self.standard_errors.get(name, math.nan)
        width = 0.0 if math.isnan(error) else z * error
        return self[name] - width, self[name] + width
