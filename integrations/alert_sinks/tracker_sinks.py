"""Alerts among those of the trackers that have such: wandb and trackio."""

from collections.abc import Callable
from typing import Any

from collapse_guard.alerts.rate import RateLimit
from collapse_guard.alerts.rules import Alert
from collapse_guard.alerts.sinks import AlertSink, in_words, log_alert
from collapse_guard.errors import CollapseGuardError

_LEVELS = {"info": "INFO", "warn": "WARN", "critical": "ERROR"}

_LONGEST_TITLE = 63
"""Letters that wandb takes."""


def wandb_sink(*, most: int = 3, within: float = 3600.0) -> AlertSink:
    """A sink that raises alerts on the active run of wandb, and logs them as without it.

    Args:
        most: Alerts of one rule in `within` seconds, at most; those held back are logged, counted,
            and told of in the next.
        within: Seconds, more than 0.

    Raises:
        ArgumentError: At once, for an argument that cannot work. The sink itself raises
            `CollapseGuardError` where no run is active, which the session reports.
    """

    def raise_it(alert: Alert) -> None:
        import wandb

        if wandb.run is None:
            raise CollapseGuardError("no run of wandb is active, so the alert is in the log alone.")
        # Ours is the limit, so wandb's own is as short as can be.
        wait = 0.001
        wandb.run.alert(_title(alert), _text(alert), _LEVELS[alert.severity], wait)

    return _limited(raise_it, most, within)


def trackio_sink(*, most: int = 3, within: float = 3600.0) -> AlertSink:
    """A sink that raises alerts on the active run of trackio, and logs them as without it.

    Args:
        most: As `wandb_sink` has it.
        within: As `wandb_sink` has it.

    Raises:
        ArgumentError: As `wandb_sink`, as is what the sink raises.
    """

    def raise_it(alert: Alert) -> None:
        import trackio

        run: Any = trackio.context_vars.current_run.get()
        if run is None:
            raise CollapseGuardError(
                "no run of trackio is active, so the alert is in the log alone."
            )
        level = trackio.AlertLevel[_LEVELS[alert.severity]]
        run.alert(title=_title(alert), text=_text(alert), level=level)

    return _limited(raise_it, most, within)


def _limited(raise_it: Callable[[Alert], None], most: int, within: float) -> AlertSink:
    limit = RateLimit(most, within)

    def tell(alert: Alert) -> None:
        log_alert(alert)
        told = limit.let_through(alert)
        if told is not None:
            raise_it(told)

    return tell


def _title(alert: Alert) -> str:
    return alert.rule[:_LONGEST_TITLE]


def _text(alert: Alert) -> str:
    return f"Step {alert.step}: {in_words(alert)}"
