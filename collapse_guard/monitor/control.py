"""The control run that another run is compared with, at equal steps."""

import logging
import os

from collapse_guard.distributed import largest
from collapse_guard.errors import bad_argument
from collapse_guard.monitor.track import Track
from collapse_guard.readings.baseline import Baseline
from collapse_guard.readings.panel import Panel

logger = logging.getLogger("collapse_guard")


class Control:
    """A track to compare with, which says once where it ends.

    Args:
        track: Of the control run.
        across_processes: Whether the processes of a distributed run must hold the same.
    """

    def __init__(self, track: Track, *, across_processes: bool) -> None:
        self._track = track
        self._is_unchecked, self._is_told = across_processes, False

    def at(self, step: int) -> Baseline | None:
        """What the control run gave after this step; None where its track has no look near it.

        Raises:
            ArgumentError: The processes hold unlike tracks.
        """
        if self._is_unchecked:
            _check_same(self._track)
            self._is_unchecked = False
        there = self._track.at(step)
        if there is None and not self._is_told:
            self._is_told = True
            logger.warning(
                "the control run was looked at from step %d to %d: at step %d, and wherever else "
                "it has none, the readings that end in _vs_control have no value.",
                self._track.steps[0],
                self._track.steps[-1],
                step,
            )
        return there


def make_control(given: object, panel: Panel, *, across_processes: bool) -> Control | None:
    """The control that a monitor is given.

    Args:
        given: A track, the path of one, or None.
        panel: The monitor's.
        across_processes: As of `CollapseMonitor`.

    Raises:
        ArgumentError: It is neither, cannot be read, is of another panel, or has no look.
    """
    if given is None:
        return None
    track = Track.load(given) if isinstance(given, str | os.PathLike) else given
    if not isinstance(track, Track):
        raise bad_argument(
            "control",
            expected="a Track, the path of one, or None",
            given=given,
            hint="give the path that the control run's monitor saved its track to",
        )
    if track.panel != panel.fingerprint:
        raise bad_argument(
            "control",
            expected=f"the track of a run that was looked at on this panel ({panel.fingerprint})",
            given=f"one of panel {track.panel}",
            hint="take the same held-out documents, reference and window for both runs",
        )
    if not track.steps:
        raise bad_argument(
            "control",
            expected="a track with at least one look",
            given="an empty one",
            hint="give it after the control run",
        )
    return Control(track, across_processes=across_processes)


def _check_same(track: Track) -> None:
    """Refuse tracks that differ: the processes would raise unlike alerts, and wait for ever."""
    halves = [float(int.from_bytes(track.digest[part : part + 4], "big")) for part in (0, 4)]
    if largest([*halves, *(-half for half in halves)]) != [*halves, *(-half for half in halves)]:
        raise bad_argument(
            "control",
            expected="the same track on every process",
            given="tracks that differ",
            hint="give each process the same file",
        )
