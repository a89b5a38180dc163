"""Tables of readings in Markdown."""

from collections.abc import Mapping, Sequence

import numpy as np

from collapse_guard import Reading


def last_readings(runs: Mapping[str, Sequence[Reading]], names: Sequence[str]) -> str:
    """What each run read last, with its standard error where it has one.

    Args:
        runs: By regime.
        names: Of readings, a column each.
    """
    heads = [name.replace("_", " ") for name in names]
    lines = [f"| regime | {' | '.join(heads)} |", f"| --- |{' --- |' * len(heads)}"]
    for run, readings in runs.items():
        cells = [_with_error(readings[-1], name) for name in names]
        lines.append(f"| {run} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_error(reading: Reading, name: str) -> str:
    value, error = reading[name], reading.estimate(name).standard_error
    return f"{value:.2f} ± {error:.2f}" if np.isfinite(error) else f"{value:.2f}"
