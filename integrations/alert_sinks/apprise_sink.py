"""Alerts to Slack, mail, a webhook and whatever else `apprise` knows."""

import json
import logging
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from multiprocessing.util import Finalize
from pathlib import Path
from threading import Condition, Thread
from typing import Any

from collapse_guard.alerts.rate import RateLimit
from collapse_guard.alerts.rules import Alert
from collapse_guard.alerts.sinks import in_words, log_alert
from collapse_guard.arguments import number
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require

logger = logging.getLogger("collapse_guard")

_PROGRAM = Path(__file__).with_name("deliver.py")
_TYPES = {"info": "info", "warn": "warning", "critical": "failure"}

MOST_WAITING = 100
"""Alerts that wait for a delivery; older ones give way, and are counted."""


class AppriseSink:
    """A sink that sends alerts on through `apprise`, and logs them as without it.

    Training never waits: messages are handed over in a thread of its own, one after another, and
    alerts that come meanwhile go together into the next. Apprise runs in a process of its own, so
    that it draws from no random state of the training's, and is ended after `timeout` seconds. When
    the program ends it waits `timeout` seconds at most for what is on its way. A delivery that
    fails is told in the log, and not tried again. No URL is written anywhere.

    Args:
        urls: Where to, as apprise writes it, such as `"slack://token/#channel"`; one or more.
        most: Alerts of one rule that are sent in `within` seconds, at most; those held back are
            logged, counted, and told of in the next.
        within: Seconds, more than 0.
        timeout: Seconds that a delivery may take, more than 0 and at most 3600.

    Raises:
        ArgumentError: At construction, for a URL that apprise does not know; it is not shown.
        MissingExtraError: apprise is not installed.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        most: int = 3,
        within: float = 3600.0,
        timeout: float = 20.0,
    ) -> None:
        require("apprise", "alerts")
        self._limit = RateLimit(most, within)
        self._timeout = number("timeout", timeout, above=0, most=3600, hint="20 is usual")
        self._urls = _checked(urls, self._timeout)
        self._waiting: deque[Alert] = deque()
        self._left_out = 0
        self._is_busy = False
        self._changed = Condition()
        # Also at the end of a process that `multiprocessing` has started, unlike `atexit`.
        Finalize(None, self.flush, exitpriority=0)

    def __call__(self, alert: Alert) -> None:
        """Log an alert, and send it on without waiting for it."""
        log_alert(alert)
        told = self._limit.let_through(alert)
        if told is None:
            return
        with self._changed:
            self._waiting.append(told)
            if len(self._waiting) > MOST_WAITING:
                self._waiting.popleft()
                self._left_out += 1
            if not self._is_busy:
                self._is_busy = True
                Thread(target=self._deliver, daemon=True, name="collapse_guard alerts").start()

    def flush(self) -> bool:
        """Wait until all is delivered or given up, `timeout` seconds at most; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._is_busy, timeout=self._timeout)

    def _deliver(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._is_busy = False
                    self._changed.notify_all()
                    return
                alerts, self._waiting = list(self._waiting), deque()
                left_out, self._left_out = self._left_out, 0
            done = _run(self._urls, _message(alerts, left_out), self._timeout)
            failed = [place for place, is_done in enumerate(done, start=1) if not is_done]
            if failed:
                logger.warning(
                    "%d alerts were not delivered to %s of %d services: refused, or no answer "
                    "within %g s. They are in this log and in monitor.alerts.",
                    len(alerts),
                    ", ".join(f"number {place}" for place in failed),
                    len(done),
                    self._timeout,
                )


def _message(alerts: Sequence[Alert], left_out: int) -> dict[str, str]:
    parts = [in_words(alert) for alert in alerts]
    parts += [f"{left_out} alerts before these were left out."] if left_out else []
    worst = max(alerts, key=lambda alert: list(_TYPES).index(alert.severity))
    more = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    title = f"collapse_guard: {worst.rule}, step {worst.step}{more}"
    return {"title": title, "body": "\n\n".join(parts), "notify_type": _TYPES[worst.severity]}


def _checked(urls: object, timeout: float) -> list[str]:
    given = [urls] if isinstance(urls, str) else urls
    # What is given is not shown, whatever it is: it may hold a token.
    wrong = "something else, which is not shown since it may hold a secret"
    hint = 'write it as apprise does, such as "slack://token/#channel"'
    if not isinstance(given, list | tuple) or not given or not all(map(_is_text, given)):
        raise bad_argument("urls", expected="one or more URLs", given=wrong, hint=hint)
    # It takes longer to start than to answer.
    for place, is_known in enumerate(_run(given, None, max(timeout, 30.0))):
        if not is_known:
            expected = "a URL of a service that apprise knows"
            raise bad_argument(f"urls[{place}]", expected=expected, given=wrong, hint=hint)
    return list(given)


def _is_text(url: object) -> bool:
    return isinstance(url, str)


def _run(urls: Sequence[str], message: dict[str, str] | None, timeout: float) -> list[bool]:
    told: dict[str, Any] = {"path": sys.path, "urls": list(urls), "message": message}
    try:
        # Not by arguments or environment, which others on the machine can read.
        done = subprocess.run(
            [sys.executable, str(_PROGRAM)],
            input=json.dumps(told),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            check=True,
            text=True,
            start_new_session=True,
        )
        return [bool(each) for each in json.loads(done.stdout.splitlines()[-1])]
    # One that fails, hangs or cannot be started: what it says may hold a URL.
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return [False] * len(urls)
