"""Checks of what a session is given."""

from collapse_guard.arguments import amount, function, optional, text
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
    if not isinstance(name, str) or not name.isidentifier():
        raise bad_argument(
            "name",
            expected="letters, digits and underscores",
            given=name,
            hint='"collapse" is the default',
        )
    return name


def check_others(prefix: object, *, sink: object, **functions: object) -> None:
    """Refuse a prefix that is no text, and what cannot be called.

    Args:
        prefix: Of logged keys.
        sink: Of alerts.
        functions: By the names of their arguments; None where one is left out.

    Raises:
        ArgumentError: One is something else.
    """
    text(hint="leave it out")("prefix", prefix)
    check = function(hint="give a function, or leave it out")
    check("sink", sink)
    for name, given in functions.items():
        optional(check)(name, given)


def check_step(step: int) -> int:
    """The argument as an int.

    Raises:
        ArgumentError: It is no whole number of at least 0.
    """
    return amount("step", step, least=0, hint="count optimizer steps from 0")
