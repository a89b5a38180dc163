"""Where alerts go."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread

from collapse_guard.alerts.rules import Alert
from collapse_guard.arguments import a, checked
from collapse_guard.errors import CollapseGuardError

logger = logging.getLogger("collapse_guard")

AlertSink = Callable[[Alert], None]
"""Anything that takes an alert: a function that mails it, posts it, or stores it."""

_LEVELS = {"info": logging.INFO, "warn": logging.WARNING, "critical": logging.ERROR}


def in_words(alert: Alert) -> str:
    """What an alert says, and why, as far as that is known."""
    return " ".join(filter(None, (alert.message, alert.explanation)))


@checked(alert=a(Alert, expected="an Alert", hint="give one of monitor.alerts"))
def log_alert(alert: Alert) -> None:
    """The default sink: one line to the logger `collapse_guard`, at the alert's severity."""
    logger.log(_LEVELS[alert.severity], "%s", in_words(alert))


def tell_nobody(alert: Alert) -> None:
    """A sink for runs whose alerts are read off the monitor, and told nobody on the way."""


PATIENCE = 30.0
"""Seconds that a training waits for a sink, once."""


def in_time(sink: AlertSink) -> AlertSink:
    """A sink that nobody waits for longer than `PATIENCE`: one that hangs is given up.

    It is called in a thread of its own, with the caller's context variables; what it raises is
    raised to who called.

    Args:
        sink: Any.

    Returns:
        A sink that raises `CollapseGuardError` where it was given up, now or before.
    """
    given_up: list[Alert] = []

    def pass_on(alert: Alert) -> None:
        if not given_up:
            done: Future[None] = Future()
            work = (copy_context().run, done, sink, alert)
            Thread(target=_answer, args=work, daemon=True, name="collapse_guard sink").start()
            try:
                done.result(timeout=PATIENCE)
            except TimeoutError:
                # Its own may be one too.
                if done.done():
                    raise
                given_up.append(alert)
        if given_up:
            raise CollapseGuardError(
                f"the sink took longer than {PATIENCE:g} s for the alert of step "
                f"{given_up[0].step}, and is given up: this and later alerts are in "
                f"monitor.alerts alone. Let it hand over to a thread or a queue of its own."
            )

    return pass_on


def _answer(run: Callable[..., None], done: "Future[None]", sink: AlertSink, alert: Alert) -> None:
    try:
        run(sink, alert)
    except BaseException as error:
        done.set_exception(error)
    else:
        done.set_result(None)
