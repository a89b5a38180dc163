"""What a run found: the content of `results.json`."""

import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from collapse_guard import __version__
from collapse_guard.alerts.rules import Alert
from collapse_guard.atomic import write_atomically
from collapse_guard.readings.reading import Reading
from collapse_guard.statistics.json_values import without_nan

FORMAT = 2
_PACKAGES = ("accelerate", "numpy", "peft", "tokenizers", "torch", "transformers")


@dataclass(frozen=True)
class LookResult:
    """A look at the held-out windows on the way through a generation's training.

    Attributes:
        step: Training steps of this generation before it; 0 is its beginning.
        loss: Mean NLL of the held-out human text, in nats: what early stopping goes by.
        tail_retention: The reading that the first alarm rule goes by.
    """

    step: int
    loss: float
    tail_retention: float

    @classmethod
    def of(cls, reading: Reading) -> "LookResult":
        """What is kept of a reading."""
        return cls(reading.step, math.log(reading["perplexity"]), reading["tail_retention"])


@dataclass(frozen=True)
class GenerationResult:
    """One model of a chain.

    Attributes:
        generation: 0 is the model fine-tuned on human text, where every chain starts.
        readings: Teacher-forced readings on the held-out windows, by name.
        standard_errors: Their standard errors over documents; NaN where there is none.
        distinct_2: Of free-running rows of this model, as many as a generation trains on at most:
            a fixed number of tokens. Without prompts they are what the next one trains on.
        decoding: With what the synthetic rows that it trained on were taken to be drawn: the
            decoding in plain JSON types, "unknown" with the plain loss, None where there were none.
        own_entropy: Mean entropy of what this model predicts along these rows, in nats; NaN in
            results of earlier versions.
        alerts: What the callback raised during this generation's training, and then what the look
            at its own writing raised when it was done.
        human_share: Share of human rows among those trained on.
        texts: What this model writes by itself, the first few of these rows in words.
        looks: Those of the callback during this generation's training, the first one before it.
        sight: What each rule could see in this generation's training, in words; empty in results of
            earlier versions.
        trained_tokens: Tokens that this generation's loss was on; 0 in results of earlier versions.
        human_tokens: Those of them that people wrote.
    """

    generation: int
    readings: Mapping[str, float]
    standard_errors: Mapping[str, float]
    distinct_2: float
    alerts: Sequence[Alert]
    human_share: float
    texts: Sequence[str]
    looks: Sequence[LookResult] = ()
    own_entropy: float = math.nan
    decoding: Any = None
    sight: Sequence[str] = ()
    trained_tokens: int = 0
    human_tokens: int = 0

    def to_dict(self) -> dict[str, Any]:
        """In plain JSON types, readings on the top level; None for NaN."""
        values = {
            "generation": self.generation,
            **self.readings,
            "distinct_2": self.distinct_2,
            "own_entropy": self.own_entropy,
            "human_share": self.human_share,
            "decoding": self.decoding,
            "standard_errors": dict(self.standard_errors),
            "alerts": [asdict(alert) for alert in self.alerts],
            "texts": list(self.texts),
            "looks": [asdict(look) for look in self.looks],
            "sight": list(self.sight),
            "trained_tokens": self.trained_tokens,
            "human_tokens": self.human_tokens,
        }
        plain: dict[str, Any] = without_nan(values)
        return plain

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "GenerationResult":
        """The inverse of `to_dict`."""
        errors = {name: _number(value) for name, value in values["standard_errors"].items()}
        return cls(
            generation=values["generation"],
            readings={name: _number(values[name]) for name in errors},
            standard_errors=errors,
            distinct_2=_number(values["distinct_2"]),
            alerts=[
                Alert(**{**alert, "standard_error": _number(alert["standard_error"])})
                for alert in values["alerts"]
            ],
            human_share=_number(values["human_share"]),
            texts=values["texts"],
            looks=[
                LookResult(look["step"], _number(look["loss"]), _number(look["tail_retention"]))
                for look in values["looks"]
            ],
            own_entropy=_number(values.get("own_entropy")),
            decoding=values.get("decoding"),
            sight=values.get("sight", ()),
            trained_tokens=values.get("trained_tokens", 0),
            human_tokens=values.get("human_tokens", 0),
        )

    def as_reading(self) -> Reading:
        """The readings, and those of its rows, at the step of this generation, to be plotted."""
        of_rows = {"distinct_2": self.distinct_2, "own_entropy": self.own_entropy}
        return Reading(
            self.generation,
            {**self.readings, **of_rows},
            {**self.standard_errors, **dict.fromkeys(of_rows, math.nan)},
        )


@dataclass(frozen=True)
class RunResults:
    """A whole run.

    Attributes:
        configuration: The settings that decide the figures, the seed among them.
        versions: Of Python and of the packages that took part.
        corpus: The human text: its name, and the characters of each part.
        regimes: For each regime its generations, the start first.
    """

    configuration: Mapping[str, Any]
    versions: Mapping[str, str]
    corpus: Mapping[str, Any]
    regimes: Mapping[str, Sequence[GenerationResult]]

    def save(self, path: Path) -> None:
        """Write `results.json`, atomically."""
        content = {
            "format": FORMAT,
            "configuration": dict(self.configuration),
            "versions": dict(self.versions),
            "corpus": dict(self.corpus),
            "regimes": {
                name: [generation.to_dict() for generation in generations]
                for name, generations in self.regimes.items()
            },
        }
        write_atomically(path, json.dumps(content, indent=2, allow_nan=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> "RunResults":
        """The inverse of `save`."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            content["configuration"],
            content["versions"],
            content["corpus"],
            {
                name: [GenerationResult.from_dict(values) for values in generations]
                for name, generations in content["regimes"].items()
            },
        )


def versions() -> dict[str, str]:
    """Versions of Python, of this package and of what it computes with."""
    ours = {"python": platform.python_version(), "collapse_guard": __version__}
    return ours | {package: version(package) for package in _PACKAGES}


def _number(value: float | None) -> float:
    return math.nan if value is None else value
