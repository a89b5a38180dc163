"""A run's start, as it is kept for comparison and stored in checkpoints."""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from collapse_guard.arguments import a
from collapse_guard.readings.reading import Reading
from collapse_guard.statistics.estimates import Estimate
from collapse_guard.statistics.json_forms import Part

_PARTS = ("panel", "tail_logprob", "head_logprob", "readings")

_MOST = sys.float_info.max
"""The perplexity of a model that has diverged may be near it."""


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
        kept: What readings keep of the start for themselves, by name, in plain JSON types.
        sampling: How much the model wrote, and how (`Sampling.compared`); None where it did not, or
            where that is not known.
    """

    panel: str
    tail_logprob: tuple[float, ...]
    head_logprob: tuple[float, ...]
    readings: Reading
    kept: Mapping[str, Any] = field(default_factory=dict)
    sampling: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The baseline in plain JSON types."""
        return {
            "panel": self.panel,
            "tail_logprob": list(self.tail_logprob),
            "head_logprob": list(self.head_logprob),
            "readings": {
                name: {
                    "value": estimate.value,
                    "standard_error": estimate.standard_error,
                    "units": estimate.units,
                    "influences": estimate.influences.tolist(),
                }
                for name in self.readings
                for estimate in (self.readings.estimate(name),)
            },
            "kept": dict(self.kept),
            "sampling": self.sampling,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "Baseline":
        """The inverse of `to_dict`, also after a round trip through JSON.

        Raises:
            ArgumentError: It is no such state.
        """
        return cls.from_part(Part("state", state))

    @classmethod
    def from_part(cls, state: Part) -> "Baseline":
        """As `from_dict`, of a part of a larger state."""
        # Older ones keep nothing.
        parts = state.keys(*_PARTS, optional=["kept", "sampling"])
        tail = parts["tail_logprob"].numbers(-1)
        head = parts["head_logprob"].numbers(len(tail))
        readings = {name: _estimate(each) for name, each in parts["readings"].entries().items()}
        kept = parts["kept"].entries() if "kept" in parts else {}
        wrote = parts.get("sampling")
        return cls(
            panel=parts["panel"].text(),
            tail_logprob=tuple(tail.tolist()),
            head_logprob=tuple(head.tolist()),
            readings=Reading.of(0, readings),
            kept={name: each.plain() for name, each in kept.items()},
            sampling=None if wrote is None or wrote.value is None else wrote.text(),
        )


def _estimate(state: Part) -> Estimate:
    parts = state.keys("value", "standard_error", "units", "influences")
    value = parts["value"].number(least=-_MOST, most=_MOST, or_none="nan, inf")
    if math.isfinite(value):
        influences = parts["influences"].numbers(-1)
    else:
        # What follows from what is not finite is not finite either.
        items = parts["influences"].items()
        influences = np.array([item.number(or_none="nan, inf") for item in items])
    return Estimate(
        value,
        parts["standard_error"].number(least=0.0, most=_MOST, or_none="nan, inf"),
        influences.astype(np.float64),
        parts["units"].number(least=0.0, or_none="nan, inf"),
    )


A_BASELINE = a(
    Baseline, expected="a Baseline", hint="give the `baseline` of a monitor that has started"
)
"""Checks an argument that is to be one."""
