"""Whether a run is watched, and where it is not: why, and whether to try again."""

import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

from collapse_guard.callbacks.peers import Peers, gather
from collapse_guard.callbacks.settings import check_same
from collapse_guard.distributed import any_process
from collapse_guard.errors import (
    ArgumentError,
    LostPeerError,
    PanelError,
    PeerError,
    TokenizerMismatchError,
    UnwatchableError,
)
from collapse_guard.failures import GOES_ON
from collapse_guard.monitor.monitor import CollapseMonitor

logger = logging.getLogger("collapse_guard")

T = TypeVar("T")

FIRST_WAIT = 10
"""Steps after which a start that failed is tried again; each further try waits twice as long."""

_NEVER_PASSES = (ArgumentError, PanelError, TokenizerMismatchError)
"""What a first look ends in where every other would too."""


class Watching:
    """What is known of the looks of a run: of its start, and of those that failed for good.

    A run whose start failed is not watched, since there is nothing to compare with. It is tried
    again where that may help: memory may be free by then. What never passes is not tried again, and
    a model that a look would change is left alone from then on, whenever that is found. So is a run
    of which a process was lost. All processes know the same.

    Args:
        monitor: What looks.
        name: What tells two sessions apart.
        within: Seconds that processes wait for each other.

    Attributes:
        lacks_start: Whether the start was asked for in vain, so far.
        is_off: Whether nobody looks any more in this run.
    """

    def __init__(self, monitor: CollapseMonitor, name: str, within: float) -> None:
        self._monitor, self._name, self._within = monitor, name, within
        self._peers: Peers | None = None
        self.begin(0)

    def begin(self, step: int) -> None:
        """Forget all: a run begins at this step."""
        self.lacks_start, self.is_off = False, False
        self._began, self._wait = step, FIRST_WAIT
        self._due = step + self._wait
        self._has_looked = False

    def meet(self, settings: Mapping[str, str], resumes: bool) -> bool:
        """Meet the other processes, when a run begins.

        Args:
            settings: What has to be the same on all.
            resumes: Whether this process could load the state of the run that is resumed.

        Returns:
            Whether all of them could.

        Raises:
            ArgumentError: Settings differ, on all processes.
            LostPeerError: Some processes do not come.
        """
        self._peers = None
        self._peers = gather(self._name, self._within)
        return all(self.agree(lambda: _compared(settings, resumes)))

    def agree(self, work: Callable[[], T]) -> T:
        """Do some work on all processes so that it succeeds on all, or raises on all.

        Args:
            work: As in `Peers.agree`.

        Raises:
            PeerError: It failed on another process.
        """
        return work() if self._peers is None else self._peers.agree(work, self._never_passes)

    @property
    def is_watched(self) -> bool:
        """Whether looks can be taken, as far as is known."""
        return not (self.lacks_start or self.is_off)

    def is_due(self, step: int) -> bool:
        """Whether to try to take the start again after a step at which nobody asks for it."""
        return self.lacks_start and not self.is_off and step >= self._due

    def looked(self, step: int) -> None:
        """Take note of a look that was taken."""
        self._has_looked = True
        if self.lacks_start:
            self.lacks_start = False
            logger.warning(
                "the run is watched from step %d on: its start failed at step %d, so that readings "
                "compare with the model as it is now.",
                step,
                self._began,
            )

    def failed(self, error: Exception, step: int) -> str:
        """Take note of a look that failed after this step.

        Returns:
            What that comes to, as `FailureGuard.contained` tells it.
        """
        never = self._never_passes(error)
        self.is_off |= never
        self.lacks_start = not self._monitor.started
        if self.is_watched:
            return GOES_ON
        if self.lacks_start:
            # At steps that all processes count alike.
            self._due = step + self._wait
            self._wait *= 2
        why = str(error).strip().partition("\n")[0]
        told = f"training goes on, and is not watched ({type(error).__name__}: {why}). "
        if never:
            return told + (
                "That would not pass, so nobody looks again: mend what it says and begin the run "
                'anew, or take the monitor off. on_error="raise" ends such a run here.'
            )
        return told + (
            f"The start is tried again where a look at the whole panel is asked for, and after "
            f"{self._due - step} more steps at the latest; a smaller batch_size of the monitor "
            f'takes less memory. on_error="raise" ends such a run here.'
        )

    def _never_passes(self, error: Exception) -> bool:
        if isinstance(error, PeerError):
            return error.never_passes or isinstance(error, LostPeerError)
        at_start = not self._has_looked and isinstance(error, _NEVER_PASSES)
        return at_start or isinstance(error, UnwatchableError)


def _compared(settings: Mapping[str, str], resumes: bool) -> tuple[bool]:
    check_same(settings)
    return (not any_process(not resumes),)
