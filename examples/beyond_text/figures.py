"""Curves by generation, and what generations draw."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from collapse_guard import Reading
from collapse_guard.alerts.default_rules import default_rules
from collapse_guard.examples.beyond_text.chain import Generation
from collapse_guard.examples.beyond_text.people import LEVELS, Images
from collapse_guard.examples.beyond_text.tables import MEANINGS, RULES
from collapse_guard.examples.laboratory.chain import Chain
from collapse_guard.extras import require
from collapse_guard.integrations.plots import plot_readings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = {
    "tail_retention": "tail retention",
    "head_retention": "head retention",
    "tail_gap": "tail gap, nats per pixel",
    "drawn_rare_share": "rare digits drawn, over people's share",
    "drawn_entropy": "entropy of drawn digits, bits",
    "drawn_digits": "digits drawn, of 10",
}
_ACROSS, _DOWN, _SIDE = 8, 4, 8
_GAP = 1


def draw_readings(runs: Mapping[str, Sequence[Reading]]) -> "Figure":
    """Readings by generation with intervals over seeds, and the default rules' limits.

    Args:
        runs: By regime.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    return plot_readings(
        runs, TITLES, titles=TITLES, rules=default_rules(sampling=False), step="generation"
    )


def draw_tables(chains: Mapping[str, Chain]) -> "Figure":
    """Readings of tables by generation, with intervals over tables.

    Args:
        chains: By regime.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    return plot_readings(
        {name: chain.readings for name, chain in chains.items()},
        MEANINGS,
        titles={name: name.replace("_", " ") for name in MEANINGS},
        rules=RULES,
        step="generation",
        columns=2,
    )


def shown_generations(count: int) -> list[int]:
    """The first, the last, and two between them, where there are so many."""
    numbers: list[int] = np.unique(np.linspace(1, count, 4).round().astype(int)).tolist()
    return numbers


def draw_images(chains: Mapping[str, Sequence[Generation]]) -> "Figure":
    """The first images that generations drew: a row for each regime, without picking.

    Args:
        chains: By regime, of one seed.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    numbers = shown_generations(len(next(iter(chains.values()))))
    figures = require("matplotlib.figure", "report")
    figure: Figure = figures.Figure(
        figsize=(1.9 * len(numbers), 1.15 * len(chains)), layout="constrained"
    )
    every = figure.subplots(len(chains), len(numbers), squeeze=False)
    for of_regime, (name, chain) in zip(every, chains.items(), strict=True):
        for axes, number in zip(of_regime, numbers, strict=True):
            axes.imshow(_sheet(chain[number - 1].images), cmap="gray_r", vmin=0, vmax=LEVELS)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        of_regime[0].set_ylabel(name)
    for axes, number in zip(every[0], numbers, strict=True):
        axes.set_title(f"generation {number}", fontsize=9)
    return figure


def _sheet(images: Images) -> Images:
    """Images side by side and below each other, with a gap between."""
    shown = images[: _DOWN * _ACROSS].reshape(_DOWN, _ACROSS, _SIDE, _SIDE)
    spaced = np.pad(shown, ((0, 0), (0, 0), (_GAP, _GAP), (_GAP, _GAP)))
    side = _SIDE + 2 * _GAP
    return spaced.transpose(0, 2, 1, 3).reshape(_DOWN * side, _ACROSS * side)
