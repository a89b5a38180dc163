"""What the looks of a run have read, under the keys that it is logged by."""

from collections.abc import Mapping
from typing import Any

from collapse_guard.callbacks.arguments import check_step
from collapse_guard.callbacks.records import record_keys, record_of
from collapse_guard.monitor.look import Look
from collapse_guard.monitor.monitor import CollapseMonitor


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

    def forget_full(self) -> None:
        """Take the last look at the whole panel for one at another model."""
        self._full, self._full_step = {}, None

    def has_full(self, step: int) -> bool:
        """Whether the whole panel was looked at after this step."""
        return self._full_step == check_step(step)

    def full(self, step: int) -> dict[str, float]:
        """What the look at the whole panel after this step read; empty where there was none."""
        return dict(self._full) if self.has_full(step) else {}

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, in plain JSON types."""
        full = {"step": self._full_step, "values": dict(self._full)}
        return {"latest": dict(self.latest), "full": full}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`, of the run that is resumed."""
        self.clear()
        self.latest = dict(state["latest"])
        self.missing -= self.latest.keys()
        # A state of a release before does not know it.
        full = state.get("full", {"step": None, "values": {}})
        self._full, self._full_step = dict(full["values"]), full["step"]
