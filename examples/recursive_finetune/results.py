"""What a run found: the content of `results.json`."""

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from collapse_guard import __version__
from collapse_guard.alerts.rules import Alert
from collapse_guard.atomic import read_json, write_atomically
from collapse_guard.errors import bad_argument
from collapse_guard.readings.reading import Reading
from collapse_guard.statistics.json_forms import Part
from collapse_guard.statistics.json_values import without_nan

FORMAT = 2
_NEEDED = (
    "generation",
    "distinct_2",
    "human_share",
    "standard_errors",
    "alerts",
    "texts",
    "looks",
)
_LATER = ("own_entropy", "decoding", "sight", "trained_tokens", "human_tokens")
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
        """The inverse of `to_dict`.

        Raises:
            ArgumentError: They are no such values.
        """
        return cls.from_part(Part("values", values))

    @classmethod
    def from_part(cls, state: Part) -> "GenerationResult":
        """As `from_dict`, of a part of a file."""
        there = state.entries()
        errors = there["standard_errors"].entries() if "standard_errors" in there else {}
        # Readings stand on the top level; results of earlier versions have fewer of the others.
        parts = state.keys(*_NEEDED, *errors, optional=_LATER)
        looks = [each.keys("step", "loss", "tail_retention") for each in parts["looks"].items()]
        return cls(
            generation=parts["generation"].whole(),
            readings={name: _number(parts[name]) for name in errors},
            standard_errors={name: _number(each) for name, each in errors.items()},
            distinct_2=_number(parts["distinct_2"]),
            alerts=[Alert.from_part(_with_nan(each)) for each in parts["alerts"].items()],
            human_share=_number(parts["human_share"]),
            texts=[each.text() for each in parts["texts"].items()],
            looks=[
                LookResult(
                    look["step"].whole(), _number(look["loss"]), _number(look["tail_retention"])
                )
                for look in looks
            ],
            own_entropy=_number(parts["own_entropy"]) if "own_entropy" in parts else math.nan,
            decoding=parts["decoding"].plain() if "decoding" in parts else None,
            sight=[each.text() for each in parts["sight"].items()] if "sight" in parts else (),
            trained_tokens=parts["trained_tokens"].whole() if "trained_tokens" in parts else 0,
            human_tokens=parts["human_tokens"].whole() if "human_tokens" in parts else 0,
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
        """The inverse of `save`.

        Raises:
            ArgumentError: The file holds no results, or is cut short or otherwise broken.
            OSError: There is no such file, or none that may be read.
        """
        hint = "give a results.json that a run wrote, or run it again"
        try:
            whole = Part(f"{path}: results", read_json(path), hint)
        except ValueError as error:
            raise bad_argument(
                "path", expected="the results of a run", given=os.fspath(path), hint=hint
            ) from error
        names = ("configuration", "versions", "corpus", "regimes")
        parts = whole.keys(*names, optional=["format"])
        if "format" in parts:
            parts["format"].whole(least=1, most=FORMAT)
        return cls(
            {name: each.plain() for name, each in parts["configuration"].entries().items()},
            {name: each.text() for name, each in parts["versions"].entries().items()},
            {name: each.plain() for name, each in parts["corpus"].entries().items()},
            {
                name: [GenerationResult.from_part(each) for each in generations.items()]
                for name, generations in parts["regimes"].entries().items()
            },
        )


def versions() -> dict[str, str]:
    """Versions of Python, of this package and of what it computes with."""
    ours = {"python": platform.python_version(), "collapse_guard": __version__}
    return ours | {package: version(package) for package in _PACKAGES}


def _number(state: Part) -> float:
    return math.nan if state.value is None else state.number()


def _with_nan(alert: Part) -> Part:
    """An alert as it was: in a file None stands for NaN."""
    parts = alert.entries()
    if "standard_error" in parts and parts["standard_error"].value is None:
        return replace(alert, value={**alert.value, "standard_error": math.nan})
    return alert
