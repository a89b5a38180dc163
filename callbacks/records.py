"""What is logged of a look, under which keys: the same in every framework, and in none.

With `name="collapse"`:

| key | what it is |
| --- | --- |
| `collapse/<reading>` | each reading in `monitor.reading_names`; small looks have a part |
| `collapse/<reading>_se` | standard error of tail_retention, head_retention, tail_gap |
| `collapse/alerts` | number of alerts so far |
| `collapse/overhead` | share of the training time that all looks so far have taken |
| `collapse/watched` | 1 at each look at the whole panel; 0 where the run cannot be looked at |

The Hugging Face Trainer's callback puts `eval_` before each: `eval_collapse/tail_retention`.
"""

import math

from collapse_guard.monitor.monitor import CollapseMonitor
from collapse_guard.readings.reading import Reading

WATCHED = "watched"
"""The key that says whether anybody looks."""


def record_of(reading: Reading, monitor: CollapseMonitor) -> dict[str, float]:
    """What a look read, with the state that the monitor is in after it.

    Args:
        reading: The look's, of the whole panel or of a part.
        monitor: The monitor that took it.

    Returns:
        Python floats, which every tracker and checkpoint takes, by the keys above without the name.
        What is not a number is left out: a value that a look could not compute is missing.
    """
    values: dict[str, float] = dict(reading)
    for kind in monitor.readings:
        if kind.logs_error:
            error = reading.standard_errors.get(kind.name, math.nan)
            values[f"{kind.name}_se"] = error
    values["alerts"] = len(monitor.alerts)
    values["overhead"] = monitor.overhead_spent
    if reading.is_full:
        values[WATCHED] = 1.0
    return {name: float(value) for name, value in values.items() if not math.isnan(value)}


def record_keys(monitor: CollapseMonitor) -> tuple[str, ...]:
    """Every key that the record of a look at the whole panel can have."""
    errors = (f"{kind.name}_se" for kind in monitor.readings if kind.logs_error)
    return (*monitor.reading_names, *errors, "alerts", "overhead", WATCHED)
