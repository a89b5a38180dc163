"""What callbacks log of a reading."""

import math

from collapse_guard.monitor.monitor import CollapseMonitor
from collapse_guard.readings.reading import PAIRED_READINGS, Reading


def record_of(reading: Reading, monitor: CollapseMonitor) -> dict[str, float]:
    """What a look read, with the state that the monitor is in after it.

    Args:
        reading: The look's, of the whole panel or of a part.
        monitor: The monitor that took it.

    Returns:
        Python floats, which every tracker and checkpoint takes, by name: the readings, the standard
        errors of those in `PAIRED_READINGS` as `<reading>_se`, `alerts` (how many so far) and
        `overhead` (the share of the training time that looks have taken). What is not a number is
        left out.
    """
    values: dict[str, float] = dict(reading)
    for name in PAIRED_READINGS:
        values[f"{name}_se"] = reading.standard_errors.get(name, math.nan)
    values["alerts"] = len(monitor.alerts)
    values["overhead"] = monitor.overhead_spent
    return {name: float(value) for name, value in values.items() if not math.isnan(value)}


def record_keys(monitor: CollapseMonitor) -> tuple[str, ...]:
    """Every key that the record of a look at the whole panel can have."""
    errors = (f"{name}_se" for name in PAIRED_READINGS)
    return (*monitor.reading_names, *errors, "alerts", "overhead")
