"""The bench's figures."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from collapse_guard import Reading
from collapse_guard.examples.over_seeds import as_reading
from collapse_guard.examples.recursive_finetune.bench.measures import (
    MEASURES,
    Chain,
    Chains,
    measured,
    ranked,
)
from collapse_guard.examples.recursive_finetune.regimes.registry import REGIMES
from collapse_guard.extras import require
from collapse_guard.integrations.plots import PALETTE, plot_readings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RANKED = ("tail", "head", "distinct", "perplexity")
_SWEPT = ("tail", "head", "perplexity", "distinct", "entropy", "kept")


def ranking(chains: Chains) -> "Figure":
    """What each regime keeps, the one that keeps most on top, with intervals of 95% over seeds.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figures = require("matplotlib.figure", "report")
    # Drawn from the bottom.
    order = ranked(chains)[::-1]
    figure: Figure = figures.Figure(
        figsize=(3.2 * len(_RANKED), 0.28 * len(order) + 1.0), layout="constrained"
    )
    panels = figure.subplots(1, len(_RANKED), sharey=True)
    for axes, name, color in zip(panels, _RANKED, PALETTE, strict=False):
        intervals = [measured(name, chains[each]) for each in order]
        axes.axvline(1.0, color="#333333", linewidth=0.8, linestyle=":")
        axes.errorbar(
            [each.mean for each in intervals],
            range(len(order)),
            xerr=[0.0 if math.isnan(each.half_width) else each.half_width for each in intervals],
            fmt="o",
            color=color,
            markersize=4.0,
        )
        axes.set_title(MEASURES[name].title, loc="left", fontsize=10.0, fontweight="bold")
        axes.set_yticks(range(len(order)), [REGIMES[each].title for each in order])
        axes.grid(axis="both", color="#DDDDDD", linewidth=0.8)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return figure


def sweep(option: str, values: Mapping[Any, Chains]) -> "Figure":
    """Measures over a setting, a line for each regime, with intervals of 95% over seeds.

    Args:
        option: The setting's name.
        values: Chains of every value, in order.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    regimes = list(next(iter(values.values())))
    places = [float(value) for value in values]
    figure = plot_readings(
        {
            REGIMES[name].title: [
                _at(place, chains[name])
                for place, chains in zip(places, values.values(), strict=True)
            ]
            for name in regimes
        },
        _SWEPT,
        titles={name: MEASURES[name].title for name in _SWEPT},
        step=option.replace("_", " "),
    )
    for axes in figure.axes:
        axes.set_xticks(places, [f"{place:g}" for place in places], fontsize="small")
    return figure


def course(chains: Chains) -> "Figure":
    """Measures by generation, a line for each regime, with intervals of 95% over seeds.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    return plot_readings(
        {
            REGIMES[name].title: [
                _at(generation, [chain[: generation + 1] for chain in of_seeds])
                for generation in range(len(of_seeds[0]))
            ]
            for name, of_seeds in chains.items()
        },
        _SWEPT,
        titles={name: MEASURES[name].title for name in _SWEPT},
        step="generation",
    )


def _at(place: float, chains: Sequence[Chain]) -> Reading:
    return as_reading(place, {name: measured(name, chains) for name in _SWEPT})
