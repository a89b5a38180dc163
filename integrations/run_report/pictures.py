"""The curves of runs as files, for slides and papers."""

import re
from collections.abc import Iterator, Mapping

from collapse_guard.integrations.plots import figure_png
from collapse_guard.integrations.run_report.curves import curves_of
from collapse_guard.run_records.record import RunRecord


def pictures_of(runs: Mapping[str, RunRecord]) -> Iterator[tuple[str, bytes]]:
    """Each curve as an SVG and a PNG file: the file's name, and its content.

    The names are the readings', numbered in the order of the page. What a file's name should not
    hold is an underscore in them: readings are named by whoever wrote the record.

    Args:
        runs: By the names that the legend shows, each with a look at the whole panel.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    for number, curve in enumerate(curves_of(runs), start=1):
        stem = f"{number:02}_{re.sub(r'[^A-Za-z0-9_-]', '_', curve.reading)[:100]}"
        yield f"{stem}.svg", curve.svg.encode()
        yield f"{stem}.png", figure_png(curve.figure)
