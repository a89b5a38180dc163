"""The curves of runs as files, for slides and papers."""

import re
from collections.abc import Iterable, Iterator

from collapse_guard.integrations.plots import figure_png
from collapse_guard.integrations.run_report.curves import Curve


def pictures_of(curves: Iterable[Curve]) -> Iterator[tuple[str, bytes]]:
    """Each curve as an SVG and a PNG file: the file's name, and its content.

    The names are the readings', numbered in the order of the page. What a file's name should not
    hold is an underscore in them: readings are named by whoever wrote the record.

    Args:
        curves: Those of the page (`curves_of`).

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    for number, curve in enumerate(curves, start=1):
        stem = f"{number:02}_{re.sub(r'[^A-Za-z0-9_-]', '_', curve.reading)[:100]}"
        yield f"{stem}.svg", curve.svg.encode()
        yield f"{stem}.png", figure_png(curve.figure)
