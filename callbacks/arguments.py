"""Checks of what a session is given."""

from collapse_guard.errors import bad_argument
from collapse_guard.monitor.monitor import CollapseMonitor


def check_monitor(monitor: CollapseMonitor) -> CollapseMonitor:
    """The argument as it is.

    Raises:
        ArgumentError: It is no monitor.
    """
    if not isinstance(monitor, CollapseMonitor):
        raise bad_argument(
            "monitor",
            expected="a CollapseMonitor",
            given=monitor,
            hint="give CollapseMonitor(panel)",
        )
    return monitor


def check_name(name: str) -> str:
    """The argument as it is.

    Raises:
        ArgumentError: It cannot be part of a logged key.
    """
    if not name.isidentifier():
        raise bad_argument(
            "name",
            expected="letters, digits and underscores",
            given=name,
            hint='"collapse" is the default',
        )
    return name
