"""What a monitor answers when it has looked."""

from dataclasses import dataclass, field

from collapse_guard.alerts.rules import Alert
from collapse_guard.arguments import whole
from collapse_guard.readings.reading import Reading


@dataclass(frozen=True)
class Look(Reading):
    """What one look read, and the alerts that it raised; empty, and so false, where nobody looked.

    Two looks are equal where they read the same.

    Attributes:
        alerts: Those of this look, in the order of the rules.
    """

    alerts: tuple[Alert, ...] = field(default=(), compare=False)


A_STEP = whole(least=0, hint="count optimizer steps from 0")
"""Checks an argument that is to name a training step."""
