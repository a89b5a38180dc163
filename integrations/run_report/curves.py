"""The curves of runs, a picture for each reading, with what alarmed marked in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

from collapse_guard import Look, Threshold
from collapse_guard.errors import bad_argument
from collapse_guard.integrations.plots import figure_svg, plot_readings
from collapse_guard.run_records.record import RunRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES: Mapping[str, str] = {
    "tail_retention": "Tail retention",
    "head_retention": "Head retention",
    "perplexity": "Perplexity on human text",
    "effective_vocabulary": "Effective vocabulary, types",
    "free_distinct_2": "Distinct-2 of its own text",
    "predictive_entropy": "Entropy on human text, nats",
}
"""Readings that come first, where they were taken, and what stands over their curves."""

_ALARM = "#B00020"

Looks = Mapping[str, Sequence[Look]]
"""Looks at the whole panel, by the names of runs."""


@dataclass(frozen=True)
class Curve:
    """One picture.

    Attributes:
        reading: What it shows.
        title: What stands over it.
        meaning: What the reading is.
        told: What is to be seen, in words, for who cannot see it.
        figure: The picture.
    """

    reading: str
    title: str
    meaning: str
    told: str
    figure: "Figure"

    @cached_property
    def svg(self) -> str:
        """An `<svg>` element that says in words what is to be seen in it; drawn once."""
        opened = f'<svg role="img" aria-label="{escape(self.told)}" '
        return figure_svg(self.figure).replace("<svg ", opened, 1)


def curves_of(runs: Mapping[str, RunRecord]) -> tuple[Curve, ...]:
    """A curve for each reading that all runs have at each look at the whole panel.

    Args:
        runs: By the names that the legend shows, at least one.

    Raises:
        ArgumentError: No run, or one without a look at the whole panel.
        MissingExtraError: matplotlib is not installed.
    """
    empty = [name for name, run in runs.items() if not run.full_looks]
    if not runs or empty:
        raise bad_argument(
            "runs",
            expected="runs that have been looked at",
            given=empty or "none",
            hint="wait for the first look, at the start of the training",
        )
    looks = {name: run.full_looks for name, run in runs.items()}
    shared = [name for name in next(iter(looks.values()))[0] if _is_in_all(name, looks)]
    first = next(iter(runs.values()))
    rules = [rule for rule in first.rules if len(runs) == 1]
    ordered = [name for name in TITLES if name in shared]
    return tuple(
        _curve(reading, runs, looks, rules)
        for reading in [*ordered, *(name for name in shared if name not in TITLES)]
    )


def _is_in_all(name: str, looks: Looks) -> bool:
    return all(name in look for of_run in looks.values() for look in of_run)


def _curve(
    reading: str, runs: Mapping[str, RunRecord], looks: Looks, rules: Sequence[Threshold]
) -> Curve:
    title = TITLES.get(reading, reading)
    figure = plot_readings(looks, [reading], titles={reading: title}, rules=rules, columns=1)
    if len(runs) == 1:
        figure.legends.clear()
    alarms = {each.step for run in runs.values() for each in run.alerts if each.reading == reading}
    for axes in figure.axes:
        for step in alarms:
            axes.axvline(step, color=_ALARM, linewidth=0.8, linestyle="--")
    told = f"{title}: {'; '.join(_told(name, of_run, reading) for name, of_run in looks.items())}"
    meaning = next((run.meanings[reading] for run in runs.values() if reading in run.meanings), "")
    return Curve(reading, title, meaning, told, figure)


def _told(name: str, looks: Sequence[Look], reading: str) -> str:
    first, last = looks[0], looks[-1]
    return (
        f"{name}, from {first[reading]:.4g} at step {first.step} to {last[reading]:.4g} at step "
        f"{last.step}"
    )
