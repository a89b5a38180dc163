"""Paces that do not depend on the clock, for tests that say when a monitor looks, and at what."""

from collections.abc import Callable, Mapping
from typing import Any


class Scripted:
    """A pace that looks at so many windows of the panel, and its own schedule.

    Args:
        windows: After these steps, by step; or after every one.
    """

    def __init__(self, windows: Mapping[int, int] | int) -> None:
        self.windows = windows

    def schedule(self, *, num_windows: int, most: int) -> "Scripted":
        return self

    def due(self, step: int, trained: float | None) -> int:
        return self.windows if isinstance(self.windows, int) else self.windows.get(step, 0)

    def looked(self, step: int, windows: int, seconds: float) -> None:
        pass

    def calibrate(self, step: int, full: float, timed: Callable[[int], float]) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass
