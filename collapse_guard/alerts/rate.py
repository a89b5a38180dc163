"""No more alerts than somebody reads."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from collapse_guard.alerts.rules import Alert
from collapse_guard.arguments import number, whole_number


class RateLimit:
    """Lets at most so many alerts of a rule through in so many seconds.

    What is held back is counted, and told in the message of the rule's next alert.

    Args:
        most: Alerts of one rule, at least 1.
        within: Seconds, more than 0.
        clock: Tells seconds that never go back.

    Raises:
        ArgumentError: At construction, for an argument that cannot work.
    """

    def __init__(
        self, most: int = 3, within: float = 3600.0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = whole_number("most", most, least=1, hint="3 is usual")
        self._within = number("within", within, above=0, hint="3600 is an hour")
        self._clock = clock
        self._passed: dict[str, deque[float]] = {}
        self._held: dict[str, int] = {}

    def let_through(self, alert: Alert) -> Alert | None:
        """The alert as it is to be told; None where it is held back."""
        now, passed = self._clock(), self._passed.setdefault(alert.rule, deque(maxlen=self._most))
        if len(passed) == self._most and now - passed[0] < self._within:
            self._held[alert.rule] = self._held.get(alert.rule, 0) + 1
            return None
        passed.append(now)
        held = self._held.pop(alert.rule, 0)
        if not held:
            return alert
        return replace(alert, message=f"{alert.message} {held} before it were held back.")
