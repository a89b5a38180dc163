"""How a callback's state gets into the checkpoints of a Hugging Face Trainer, and out of them."""

from typing import Any, cast

from collapse_guard.extras import require
from collapse_guard.monitor.monitor import CollapseMonitor

require("transformers", "huggingface")

from transformers import TrainerState  # noqa: E402


class CheckpointedState:
    """A monitor's state in that of a Trainer, which is written with every checkpoint.

    Kept there at every step, since the Trainer does not ask when it saves. `ExportableState`, which
    it does ask, would have it replace the user's callback when it resumes, and fail on checkpoints
    from before there was a callback.

    Args:
        name: What tells two callbacks apart.
    """

    def __init__(self, name: str) -> None:
        # Unlike any class name: the Trainer rebuilds callbacks whose class it finds among the keys.
        self._key = f"collapse_guard/{name}"

    def of(self, state: TrainerState) -> dict[str, Any] | None:
        """What was kept: `monitor` and `unlogged`. None where nothing was."""
        return _states(state).get(self._key)

    def keep(
        self, state: TrainerState, monitor: CollapseMonitor, unlogged: dict[str, float] | None
    ) -> None:
        """Keep all, after a look, or after something was logged."""
        _states(state)[self._key] = {"monitor": monitor.state_dict(), "unlogged": unlogged}

    def keep_timing(self, state: TrainerState, monitor: CollapseMonitor) -> None:
        """Keep what has changed after a step without a look, which costs next to nothing."""
        kept = self.of(state)
        if kept is None:
            self.keep(state, monitor, None)
        else:
            kept["monitor"].update(monitor.timing_state())


def _states(state: TrainerState) -> dict[str, Any]:
    # The Trainer's annotation is that of the constructor's argument; what it keeps is a dict.
    return cast(dict[str, Any], state.stateful_callbacks)
