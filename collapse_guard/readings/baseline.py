"""A run's start, as it is kept for comparison and stored in checkpoints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from collapse_guard.arguments import a
from collapse_guard.readings.reading import Reading


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
        """The inverse of `to_dict`, also after a round trip through JSON."""
        readings = state["readings"]

        def each(part: str) -> dict[str, Any]:
            return {name: values[part] for name, values in readings.items()}

        return cls(
            panel=state["panel"],
            tail_logprob=tuple(state["tail_logprob"]),
            head_logprob=tuple(state["head_logprob"]),
            readings=Reading(
                0,
                each("value"),
                each("standard_error"),
                each("units"),
                {name: np.array(values) for name, values in each("influences").items()},
            ),
            # Older ones have none.
            kept=state.get("kept", {}),
            sampling=state.get("sampling"),
        )


A_BASELINE = a(
    Baseline, expected="a Baseline", hint="give the `baseline` of a monitor that has started"
)
"""Checks an argument that is to be one."""
