"""What a run gave on its panel, look after look, so that other runs can be compared with it."""

import binascii
import hashlib
import io
import json
import os
from base64 import b64decode, b64encode
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import as_array, checked, text, whole
from collapse_guard.atomic import read_arrays, write_atomically
from collapse_guard.errors import ArgumentError, CollapseGuardError, bad_argument
from collapse_guard.readings.baseline import Baseline
from collapse_guard.readings.reading import Reading
from collapse_guard.spacing import evenly_spaced
from collapse_guard.statistics.json_forms import LARGEST, MOST, Part

Floats = npt.NDArray[np.float64]

MOST_LOOKS = 256
"""Looks that a track holds at most: 16 bytes of each for each window, which is 4 KiB a window."""

MOST_IN_STATE = 64
"""Looks that are saved with checkpoints, evenly taken: 1.4 KB of JSON a window."""

_FORMAT = 1

_STEPS = f"at most {MOST_LOOKS} steps in rising order"


def _of_windows(name: str, given: object) -> Floats:
    wanted = {"expected": "a number for each window", "hint": "give sums over its positions"}
    sums = as_array(name, given, dtype=np.float64, **wanted)
    if sums.ndim != 1:
        raise bad_argument(name, given=given, **wanted)
    return sums


class Track:
    """Looks of one run at the whole panel, window by window.

    Of more than `MOST_LOOKS` the one goes whose neighbours are nearest to each other, so that what
    is kept lies evenly over the run, and the first and the last are kept in any case.

    Args:
        panel: Fingerprint of the panel that is looked at.

    Attributes:
        panel: As given.

    Example:
        >>> track = Track("0123456789abcdef")
        >>> track.add(0, np.array([-6.0, -4.0]), np.array([-2.0, -1.0]))
        >>> track.add(10, np.array([-5.0, -4.0]), np.array([-1.0, -1.0]))
        >>> track.at(5).tail_logprob
        (-5.5, -4.0)
    """

    def __init__(self, panel: str) -> None:
        self.panel = text(hint="give panel.fingerprint")("panel", panel)
        self._seen: list[_Seen] = []

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps that it was looked after, upwards."""
        return tuple(seen.step for seen in self._seen)

    @property
    def spacing(self) -> float:
        """Steps from one look to the next, on the median; 0 where there is one alone."""
        return float(np.median(np.diff(self.steps))) if len(self._seen) > 1 else 0.0

    @checked(
        step=whole(least=0, hint="count optimizer steps from 0"),
        tail_logprob=_of_windows,
        head_logprob=_of_windows,
    )
    def add(self, step: int, tail_logprob: Floats, head_logprob: Floats) -> None:
        """Take in a look. Looks at this step or later ones were of what is run again, and go.

        Args:
            step: The training step after which it was taken.
            tail_logprob: float64 of shape (windows,), summed log-probability of each window's tail
                positions, in nats.
            head_logprob: The same of the head positions.
        """
        if tail_logprob.shape != head_logprob.shape or any(
            seen.sums.shape[1:] != tail_logprob.shape for seen in self._seen
        ):
            raise bad_argument(
                "tail_logprob",
                expected="as many windows in `head_logprob`, and in each look",
                given=f"{len(tail_logprob)} and {len(head_logprob)} windows",
                hint="give both of all windows of one panel",
            )
        while self._seen and self._seen[-1].step >= step:
            self._seen.pop()
        self._seen.append(_Seen(step, np.stack([tail_logprob, head_logprob])))
        if len(self._seen) > MOST_LOOKS:
            steps = np.array(self.steps)
            del self._seen[1 + int(np.argmin(steps[2:] - steps[:-2]))]

    @checked(step=whole(least=0, hint="count optimizer steps from 0"))
    def at(self, step: int) -> Baseline | None:
        """What the run gave after a step, to compare another with.

        Between two looks it is interpolated linearly, window by window; before the first and after
        the last it is that look's, for `spacing` steps.

        Args:
            step: The training step.

        Returns:
            A baseline without readings; None where no look is near enough.
        """
        if not self._seen:
            return None
        place = bisect_left(self.steps, step)
        after = self._seen[min(place, len(self._seen) - 1)]
        before = after if after.step <= step else self._seen[max(place - 1, 0)]
        away = max(before.step - step, step - after.step)
        if away > 0 and away > self.spacing:
            return None
        sums = after.sums
        if before.step < step < after.step:
            share = (step - before.step) / (after.step - before.step)
            sums = (1.0 - share) * before.sums + share * after.sums
        tail, head = sums.tolist()
        return Baseline(self.panel, tuple(tail), tuple(head), Reading(0, {}, {}))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the track as one file (a compressed `.npz`), atomically.

        Args:
            path: Where the file shall be.

        Raises:
            CollapseGuardError: The run has not been looked at.
        """
        if not self._seen:
            raise CollapseGuardError("there is no track yet: no look was at the whole panel.")
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            settings=np.array(json.dumps({"format": _FORMAT, "panel": self.panel})),
            steps=np.array(self.steps, dtype=np.int64),
            sums=np.stack([seen.sums for seen in self._seen]),
        )
        write_atomically(path, buffer.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Track":
        """Read a track that `save` wrote.

        Args:
            path: The file.

        Raises:
            ArgumentError: There is no such file, it is no track, or of a newer format.
        """
        try:
            written, steps, sums = read_arrays(path, "settings", "steps", "sums")
            settings = Part("settings", json.loads(str(written))).keys("format", "panel")
            is_track = settings["format"].value == _FORMAT and sums.shape[:2] == (len(steps), 2)
            is_track = is_track and steps.dtype == np.int64 and bool((np.diff(steps) > 0).all())
            is_track = is_track and sums.ndim == 3 and sums.dtype == np.float64
            if not is_track or not 0 < len(steps) <= MOST_LOOKS or not _are_finite(sums):
                raise _unreadable(path)
            return cls._of(settings["panel"].text(), steps.tolist(), sums)
        except (OSError, RecursionError, TypeError, ValueError) as error:
            raise _unreadable(path) from error

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs of it, in plain JSON types: at most `MOST_IN_STATE` looks."""
        kept = self._seen
        if len(kept) > MOST_IN_STATE:
            places = evenly_spaced(MOST_IN_STATE, len(kept))
            kept = [kept[place] for place in places]
        return {"steps": [seen.step for seen in kept], "sums": [seen.packed for seen in kept]}

    @classmethod
    def from_state(cls, panel: str, state: Mapping[str, Any]) -> "Track":
        """The inverse of `state_dict`, for the panel of this fingerprint.

        Raises:
            ArgumentError: It is no such state.
        """
        return cls.from_part(panel, Part("state", state))

    @classmethod
    def from_part(cls, panel: str, state: Part, *, windows: int | None = None) -> "Track":
        """As `from_state`, of a panel of so many windows where that is known."""
        parts = state.keys("steps", "sums")
        steps = parts["steps"].wholes(least=-MOST).tolist()
        rises = all(before < step for before, step in pairwise(steps))
        parts["steps"].check(rises and len(steps) <= MOST_LOOKS, _STEPS)
        sums = []
        for part in parts["sums"].items(len(steps)):
            sums.append(_unpacked(part, windows))
            windows = sums[0].shape[1]
        return cls._of(panel, steps, sums)

    @property
    def digest(self) -> bytes:
        """8 bytes that differ where tracks do."""
        digest = hashlib.blake2b(self.panel.encode(), digest_size=8)
        for seen in self._seen:
            digest.update(f"{seen.step} {seen.packed}".encode())
        return digest.digest()

    @classmethod
    def _of(cls, panel: str, steps: Sequence[int], sums: Iterable[Floats]) -> "Track":
        track = cls(panel)
        track._seen = [_Seen(int(step), each) for step, each in zip(steps, sums, strict=True)]
        return track


def _unpacked(state: Part, windows: int | None) -> Floats:
    """The sums of a look that `_Seen.packed` has made text of."""
    try:
        numbers = np.frombuffer(b64decode(state.text(), validate=True), "<f8")
        sums: Floats = numbers.astype(np.float64).reshape(2, -1)
    except (binascii.Error, ValueError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise state.wrong("two numbers for each window, as base64 text") from error
    state.check(windows in (None, sums.shape[1]), f"two numbers for each of {windows} windows")
    state.check(_are_finite(sums), "finite numbers")
    return sums


def _are_finite(sums: Floats) -> bool:
    return bool((np.abs(sums) <= LARGEST).all())


class _Seen:
    """One look: float64 of shape (2, windows), sums of the tail and of the head."""

    def __init__(self, step: int, sums: Floats) -> None:
        self.step, self.sums = step, sums

    @cached_property
    def packed(self) -> str:
        """The sums as text, made once: a state is asked for after each look."""
        return b64encode(self.sums.astype("<f8").tobytes()).decode()


def _unreadable(path: str | os.PathLike[str]) -> ArgumentError:
    return bad_argument(
        "control",
        expected="a file that CollapseMonitor.save_track wrote, in this release or an older one",
        given=os.fspath(path),
        hint="train the control run with a monitor of the same panel, and save its track",
    )
