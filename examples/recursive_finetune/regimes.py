"""What the generations train on."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class Regime:
    """A recipe for the training rows of a generation.

    Attributes:
        title: For people.
        explanation: One sentence.
        color: In figures and in the report.
        mix: Human rows only, synthetic rows only, or both with the run's floor of human rows.
    """

    title: str
    explanation: str
    color: str
    mix: Literal["human", "synthetic", "both"]


REGIMES: Mapping[str, Regime] = MappingProxyType(
    {
        "human": Regime(
            "human text (control)",
            "Every generation trains on fresh human text: what ordinary fine-tuning does.",
            "#0072B2",
            "human",
        ),
        "replace": Regime(
            "its own text only",
            "Every generation trains on what the last one wrote, and on nothing else.",
            "#D55E00",
            "synthetic",
        ),
        "mixguard": Regime(
            "its own text + MixGuard",
            "As before, but MixGuard keeps a floor of human rows in every batch and shows rare "
            "ones more often.",
            "#009E73",
            "both",
        ),
    }
)
