"""Figures of this example: panels side by side, means over seeds as lines, intervals as bands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from collapse_guard.examples.mistakes.spread import mean_and_half_width
from collapse_guard.extras import require
from collapse_guard.integrations.plots import PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Panel:
    """One panel of a figure.

    Attributes:
        title: Above it.
        lines: For each line, by the name that the legend shows: values of all seeds at each
            place along the horizontal axis, in order.
    """

    title: str
    lines: Mapping[str, Sequence[tuple[float, Sequence[float]]]]


def draw_strips(panels: Sequence[Panel], *, across: str, columns: int = 3) -> "Figure":
    """Draw panels; lines of one name have one colour in all of them.

    Args:
        panels: At least one.
        across: What the horizontal axes count.
        columns: Panels in a row.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    rows = -(-len(panels) // columns)
    figure = require("matplotlib.figure", "report").Figure(
        figsize=(3.4 * min(columns, len(panels)), 2.6 * rows + 0.5), layout="constrained"
    )
    names = dict.fromkeys(name for panel in panels for name in panel.lines)
    colors = dict(zip(names, cycle(PALETTE), strict=False))
    handles = {}
    for number, panel in enumerate(panels, 1):
        axes = figure.add_subplot(rows, columns if rows > 1 else len(panels), number)
        for name, points in panel.lines.items():
            places = [place for place, _ in points]
            means, halves = np.array([mean_and_half_width(each) for _, each in points]).T
            (handles[name],) = axes.plot(places, means, color=colors[name], linewidth=1.8)
            axes.fill_between(
                places, means - halves, means + halves, color=colors[name], alpha=0.12, linewidth=0
            )
        axes.set_title(panel.title, loc="left", fontsize="medium")
        axes.set_xlabel(across)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#DDDDDD")
    if len(handles) > 1:
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside lower center",
            ncols=6,
            frameon=False,
        )
    drawn: Figure = figure
    return drawn
