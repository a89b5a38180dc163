"""What a run is compared with: its own start, or one that the user gave."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from collapse_guard.distributed import is_first_process
from collapse_guard.monitor.look import Look
from collapse_guard.monitor.monitor import CollapseMonitor
from collapse_guard.readings.baseline import Baseline
from collapse_guard.statistics.json_forms import Part

logger = logging.getLogger("collapse_guard")


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
        self._anew: Look | None = None

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

    def tell_another(self, step: int) -> None:
        """Have the log tell that a run begins where another has been."""
        logger.warning(
            "another run begins at step %d and resumes none: it is compared with %s, and its "
            "alerts, pace and history are its own.",
            step,
            "the model as it is now" if self.given is None else "the start that was given",
        )

    def tell_late(self, step: int) -> None:
        """Have the log tell that a run that is resumed has no state."""
        logger.warning(
            "the checkpoint holds no usable state of this monitor: the readings compare with "
            "the model at step %d, where it joined.",
            step,
        )

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Let the monitor look in a block, and follow where it takes its start anew there.

        It does where rules have waited. A run's own start stays the run's own.
        """
        before = self._monitor.baseline
        yield
        now = self._monitor.baseline
        if before is not None and now is not before:
            self._anew = self._monitor.history[-1]
            if before is self._taken:
                self._taken = now

    def tell_end(self) -> None:
        """Have the log tell, at the end of a run, of rules that waited for a start to the end."""
        history = self._monitor.history
        if not (history and self._monitor.rules and is_first_process()):
            return
        last = history[-1]
        if last is self._anew:
            logger.warning(
                "rules have waited to the end of the run, and nothing was compared with its start: "
                "the look after step %d is the first at the whole panel that found the model "
                "better on it than the frequencies of its tokens. Look at the whole panel more "
                "often: with evaluations, pace=EveryNSteps(50) or a larger Budget.",
                last.step,
            )
        elif self._monitor.rules_are_waiting:
            logger.warning(
                "rules have waited to the end of the run, and none was held against anything: "
                "after step %d the model was still worse on the panel than the frequencies of its "
                "tokens.",
                last.step,
            )


def state_with_start(monitor: Part) -> Any:
    """A monitor's state as it is; a session that has no start saves none.

    Raises:
        ArgumentError: It is of a run without a start.
    """
    start = monitor.entries().get("baseline")
    if start is not None:
        start.check(start.value is not None, "the start of a run")
    return monitor.value
