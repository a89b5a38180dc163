"""Where alerts go."""

import logging
from collections.abc import Callable

from collapse_guard.alerts.rules import Alert
from collapse_guard.arguments import a, checked

logger = logging.getLogger("collapse_guard")

AlertSink = Callable[[Alert], None]
"""Anything that takes an alert: a function that mails it, posts it, or stores it."""

_LEVELS = {"info": logging.INFO, "warn": logging.WARNING, "critical": logging.ERROR}


@checked(alert=a(Alert, expected="an Alert", hint="give one of monitor.alerts"))
def log_alert(alert: Alert) -> None:
    """The default sink: one line to the logger `collapse_guard`, at the alert's severity."""
    told = " ".join(part for part in (alert.message, alert.explanation) if part)
    logger.log(_LEVELS[alert.severity], "%s", told)


def tell_nobody(alert: Alert) -> None:
    """A sink for runs whose alerts are read off the monitor, and told nobody on the way."""
