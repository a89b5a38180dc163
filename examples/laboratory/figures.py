"""A chart as a figure: the package's own plot of readings, and theory's curves upon it."""

from itertools import cycle
from typing import TYPE_CHECKING

from collapse_guard.examples.laboratory.experiment import Chart
from collapse_guard.integrations.plots import PALETTE, plot_readings

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(chart: Chart) -> "Figure":
    """Simulation with its intervals of 95%, and dashed what theory says.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    colors = dict(zip(chart.chains, cycle(PALETTE), strict=False))
    figure = plot_readings(
        {name: chain.readings for name, chain in chart.chains.items()},
        chart.names,
        colors=colors,
        titles={name: name.replace("_", " ") for name in chart.names},
        step="generation",
    )
    for axes, name in zip(figure.axes, chart.names, strict=True):
        for line in axes.lines:
            # Points, so that a curve that runs through them is seen to be another.
            line.set_linestyle("none")
        for values in chart.theory.get(name, {}).values():
            (curve,) = axes.plot(
                range(1, len(values) + 1), values, "--", color="#000000", linewidth=1.0
            )
            curve.set_label("_")
        if name in chart.theory:
            curve.set_label("theory")
            axes.legend(handles=[curve], frameon=False, fontsize="small")
        if name in chart.on_log_scale:
            axes.set_yscale("log")
    return figure
