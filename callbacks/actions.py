"""What an alert makes a training loop do: one decision on all processes."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, get_args

from collapse_guard.alerts.rules import Alert
from collapse_guard.distributed import all_or_none, largest
from collapse_guard.errors import bad_argument

Action = Literal["log", "save", "stop", "save_and_stop"]

OnAlert = Action | Callable[[Alert], Action | None]
"""An action for every alert, or a function that does what it likes and may name one."""


class Decision(NamedTuple):
    """What to do after a look."""

    save: bool
    stop: bool


def check_on_alert(on_alert: OnAlert) -> OnAlert:
    """The argument as it is.

    Raises:
        ArgumentError: It is neither an action nor a function.
    """
    if not callable(on_alert):
        _check_action(on_alert, "on_alert")
    return on_alert


def decide(on_alert: OnAlert, alerts: Sequence[Alert]) -> Decision:
    """What the alerts of one look ask for, on any process: every process calls this.

    Alerts that only inform ask for nothing.

    Args:
        on_alert: As checked.
        alerts: Those that the look has raised on this process.

    Raises:
        ArgumentError: A function of the user's returned something that is no action.
        PeerError: The function failed on another process.
    """
    if on_alert == "log":
        return Decision(save=False, stop=False)
    # A function may fail on one process alone; then it is as if it had failed on all.
    with all_or_none():
        wanted = [_wanted(on_alert, alert) for alert in alerts if alert.severity != "info"]
    save = any(action in ("save", "save_and_stop") for action in wanted)
    stop = any(action in ("stop", "save_and_stop") for action in wanted)
    # Readings agree on all processes, what functions make of them need not.
    agreed = largest([float(save), float(stop)])
    return Decision(*map(bool, agreed))


def _wanted(on_alert: OnAlert, alert: Alert) -> Action:
    if not callable(on_alert):
        return on_alert
    return _check_action(on_alert(alert) or "log", "on_alert's result")


def _check_action(action: Action, where: str) -> Action:
    if not isinstance(action, str) or action not in get_args(Action):
        raise bad_argument(
            where,
            expected=f"one of {list(get_args(Action))}, or a function of an alert",
            given=action,
            hint="choose",
        )
    return action
