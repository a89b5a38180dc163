"""What an alert makes a training loop do: one decision on all processes."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple, get_args

from collapse_guard.alerts.rules import Alert
from collapse_guard.distributed import all_or_none, largest
from collapse_guard.errors import ArgumentError, bad_argument
from collapse_guard.failures import FailureGuard

logger = logging.getLogger("collapse_guard")

Action = Literal["log", "save", "stop", "save_and_stop"]

OnAlert = Action | Callable[[Alert], Action | None]
"""An action for every alert, or a function that does what it likes and may name one."""

Save = Callable[[int], object]
"""Writes a checkpoint of this step."""


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
        wanted = [_wanted(on_alert, alert) for alert in alerts if alert.is_alarm]
    save = any(action in ("save", "save_and_stop") for action in wanted)
    stop = any(action in ("stop", "save_and_stop") for action in wanted)
    # Readings agree on all processes, what functions make of them need not.
    agreed = largest([float(save), float(stop)])
    return Decision(*map(bool, agreed))


class Actions:
    """What a session does on alerts, and keeps from the training where it fails.

    Args:
        on_alert: An action, or a function of an alert.
        save: Writes a checkpoint; None where there is no way to.
        stop: Called when an alert stops the run; None for nothing beyond.
        failures: Keeps what fails from the training.

    Raises:
        ArgumentError: An action is none, or wants to save what cannot be.
    """

    def __init__(
        self,
        on_alert: OnAlert,
        save: Save | None,
        stop: Callable[[], object] | None,
        failures: FailureGuard,
    ) -> None:
        self._on_alert = check_on_alert(on_alert)
        if save is None and on_alert in ("save", "save_and_stop"):
            raise _no_save()
        self._save, self._stop, self._failures = save, stop, failures

    @property
    def setting(self) -> str:
        """What is done on alerts, in words that are the same on all processes."""
        return "a function" if callable(self._on_alert) else self._on_alert

    def decide(self, alerts: Sequence[Alert]) -> Decision:
        """As `decide`."""
        return decide(self._on_alert, alerts)

    def save(self, step: int) -> None:
        """Write a checkpoint of this step."""
        with self._failures.contained("saving a checkpoint on an alert"):
            if self._save is None:
                raise _no_save()
            self._save(step)

    def stop(self, step: int) -> None:
        """Tell of the end of training after this step."""
        logger.warning("training stops at step %d because of an alert.", step)
        if self._stop is not None:
            with self._failures.contained("stopping on an alert"):
                self._stop()


def _no_save() -> ArgumentError:
    return bad_argument(
        "save",
        expected="a function that writes a checkpoint, since on_alert asks for one",
        given=None,
        hint="give save=lambda step: ..., or another on_alert",
    )


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


def tell_all(told: Iterable[Callable[..., object]], *what: object) -> None:
    """Call each of some functions with the same."""
    for tell in told:
        tell(*what)
