"""The tails of a web and of its models, drawn generation by generation."""

from typing import TYPE_CHECKING

from collapse_guard import Reading
from collapse_guard.examples.web_crawl.crawl import Assumptions, simulate
from collapse_guard.integrations.plots import plot_readings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TITLES = {
    "model": "tail that models have learned",
    "new": "tail of new text",
    "web": "tail of the whole web",
}


def draw(runs: dict[str, Assumptions], generations: int) -> "Figure":
    """A curve for each web.

    Args:
        runs: Webs by their names.
        generations: How many are drawn.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    readings = {
        name: [
            Reading(number, {kind: getattr(one, kind) for kind in _TITLES}, {})
            for number, one in enumerate(simulate(assumptions, generations), 1)
        ]
        for name, assumptions in runs.items()
    }
    return plot_readings(readings, list(_TITLES), titles=_TITLES, step="generation")
