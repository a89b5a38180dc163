"""What a run is compared with: its own start, or one that the user gave."""

from collections.abc import Iterator
from contextlib import contextmanager

from collapse_guard.monitor.monitor import CollapseMonitor
from collapse_guard.readings.baseline import Baseline


class Starts:
    """Tells a start that the user gave a monitor from those that runs took for themselves.

    The user's is kept for every run: that of `baseline=`, or of a monitor that was started by hand.
    Any other is of one run alone.

    Args:
        monitor: The monitor.
    """

    def __init__(self, monitor: CollapseMonitor) -> None:
        self._monitor = monitor
        self._taken: Baseline | None = None
        self._given: Baseline | None = None

    @property
    def given(self) -> Baseline | None:
        """The user's start; None where each run takes its own."""
        now = self._monitor.baseline
        if now is not None and now is not self._taken:
            self._given = now
        return self._given

    def took(self) -> None:
        """Take note that the monitor's start is a run's own, taken or loaded just now.

        Ask for `given` before a run takes one.
        """
        self._taken = self._monitor.baseline

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Let the monitor look in a block, and follow where it takes its start anew there.

        It does where rules have waited. A run's own start stays the run's own.
        """
        is_own = self._taken is not None and self._monitor.baseline is self._taken
        yield
        if is_own:
            self.took()
