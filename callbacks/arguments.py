"""Checks of what a session is given."""

from collapse_guard.arguments import amount, function, number, optional, text, whole_number
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


def check_seconds(agree_within: float) -> float:
    """The argument as it is.

    Raises:
        ArgumentError: It is no number of seconds that one can wait.
    """
    seconds = number(
        "agree_within", agree_within, above=0, what="a number of seconds", hint="120 is the default"
    )
    return float(seconds)


def check_every(log_every_n_steps: int | None) -> int | None:
    """The argument as it is.

    Raises:
        ArgumentError: It is neither None nor a number of steps.
    """
    if log_every_n_steps is None:
        return None
    return whole_number(
        "log_every_n_steps", log_every_n_steps, least=1, hint="give 1 for every small look"
    )


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
