"""What the bench runs: each study is a set of variants, runs of the example that differ in a bit.

A study of your own is a line in `STUDIES`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from collapse_guard.examples.recursive_finetune.regimes.registry import REGIMES

_ALL_BUT_RECOVERY = tuple(name for name in REGIMES if name != "recover")


@dataclass(frozen=True)
class Study:
    """Runs to compare.

    Attributes:
        title: For people.
        regimes: Of every run.
        option: The setting that is varied, as the command line says it without dashes; None where
            only regimes differ.
        values: Of that setting.
        settings: Of every run, beside those of the preset.
        at: Settings that go with a value.
        by_generation: Whether every generation is told of, and not the last one alone.
    """

    title: str
    regimes: Sequence[str]
    option: str | None = None
    values: Sequence[Any] = (None,)
    settings: Mapping[str, Any] = field(default_factory=dict)
    at: Mapping[Any, Mapping[str, Any]] = field(default_factory=dict)
    by_generation: bool = False

    def settings_of(self, value: Any) -> dict[str, Any]:
        """All settings of the run with a value, but its seed and folder."""
        varied = {} if self.option is None else {self.option: value}
        return {**self.settings, **varied, **self.at.get(value, {})}


STUDIES: Mapping[str, Study] = MappingProxyType(
    {
        "ranking": Study("Every regime", _ALL_BUT_RECOVERY),
        "human_fraction": Study(
            "Share of human rows",
            ("mix", "mix_matched"),
            "human_fraction",
            (0.0, 0.05, 0.1, 0.2, 0.3, 0.5),
        ),
        "rows": Study(
            "Rows that a generation writes, at equal training tokens",
            ("replace", "matched"),
            "rows",
            (48, 96, 192, 384),
            at={rows: {"passes": 384 // rows} for rows in (48, 96, 192, 384)},
        ),
        "temperature": Study(
            "Temperature that a generation writes at",
            ("replace", "mix", "mix_matched"),
            "temperature",
            (0.5, 0.7, 0.8, 0.9, 1.0),
        ),
        "rank": Study(
            "Rank of the adapters, 0 for all weights", ("replace",), "lora_rank", (1, 4, 16, 64, 0)
        ),
        "learning_rate": Study(
            "Learning rate", ("replace",), "learning_rate", (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3)
        ),
        "recovery": Study(
            "A collapsed model on human text again",
            ("recover", "human"),
            settings={"generations": 10, "recover_after": 5},
            by_generation=True,
        ),
    }
)
"""Every study, by the name that the command line takes."""
