"""What the looks of a run have read, under the keys that it is logged by."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from collapse_guard.callbacks.arguments import check_step
from collapse_guard.callbacks.records import WATCHED, record_keys, record_of
from collapse_guard.monitor.look import Look
from collapse_guard.monitor.monitor import CollapseMonitor
from collapse_guard.statistics.json_forms import Part


class LoggedValues:
    """The latest values of a run, by logged key.

    A value that a look could not compute is missing, and never NaN: what follows a metric, such as
    an early stopping, takes NaN for a reason to end the run.

    Args:
        monitor: What looks.
        prefix: What each key begins with.

    Attributes:
        latest: The last value that could be had of each key; a key that never had one is absent.
        missing: Keys that the last look that should have read them could not give: all of them
            after one that failed.
    """

    def __init__(self, monitor: CollapseMonitor, prefix: str) -> None:
        self._monitor, self._prefix = monitor, prefix
        self._watched = f"{prefix}{WATCHED}"
        self._full: dict[str, float]
        self._full_step: int | None
        self.clear()

    def clear(self) -> None:
        """Forget all: a new run starts."""
        self.latest: dict[str, float] = {}
        self.missing: frozenset[str] = self.keys
        self.forget_full()

    @property
    def keys(self) -> frozenset[str]:
        """Every key that can be logged."""
        return frozenset(f"{self._prefix}{name}" for name in record_keys(self._monitor))

    def take_in(self, look: Look) -> dict[str, float]:
        """The record of a look, which is the latest from now on."""
        values = record_of(look, self._monitor)
        record = {f"{self._prefix}{name}": value for name, value in values.items()}
        if look.is_full:
            self._full, self._full_step = record, look.step
            self.missing = self.keys
        self.missing -= record.keys()
        self.latest = {**self.latest, **record}
        return record

    def lose(self) -> None:
        """Take note of a look that failed."""
        self.missing = self.keys

    def unwatch(self) -> dict[str, float]:
        """The record of a run that is not watched, which is all that is known of it now."""
        record = {self._watched: 0.0}
        self.latest = {**self.latest, **record}
        self.missing = self.keys - record.keys()
        return record

    def forget_full(self) -> None:
        """Take the last look at the whole panel for one at another model."""
        self._full, self._full_step = {}, None

    def has_full(self, step: int) -> bool:
        """Whether the whole panel was looked at after this step."""
        return self._full_step == check_step(step)

    def full(self, step: int) -> dict[str, float]:
        """What the look at the whole panel after this step read.

        Where there was none it is empty, or says that the run is not watched.
        """
        if self.has_full(step):
            return dict(self._full)
        return {} if self.is_watched else {self._watched: 0.0}

    @property
    def is_watched(self) -> bool:
        """Whether nothing says that the run is not watched."""
        return self.latest.get(self._watched) != 0.0

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, in plain JSON types."""
        full = {"step": self._full_step, "values": dict(self._full)}
        return {"latest": dict(self.latest), "full": full}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`, of the run that is resumed.

        Raises:
            ArgumentError: It is no such state; nothing is changed then.
        """
        self.restoring(Part("state", state).entries())()

    def restoring(self, state: Mapping[str, Part]) -> Callable[[], None]:
        """Check what `state_dict` said, and return what goes on from it.

        Raises:
            ArgumentError: As `load`.
        """
        latest, full, step = _values(state["latest"]), {}, None
        # A state of a release before does not know it.
        if "full" in state:
            parts = state["full"].keys("step", "values")
            full = _values(parts["values"])
            step = None if parts["step"].value is None else parts["step"].whole()

        def restore() -> None:
            self.clear()
            self.latest = latest
            if not self.is_watched:
                # Who resumes tries again.
                del self.latest[self._watched]
            self.missing -= self.latest.keys()
            self._full, self._full_step = full, step

        return restore


def _values(state: Part) -> dict[str, float]:
    most = sys.float_info.max
    return {
        key: each.number(least=-most, most=most, or_none="inf")
        for key, each in state.entries().items()
    }
