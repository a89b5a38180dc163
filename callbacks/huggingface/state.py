"""How a session's state gets into the checkpoints of a Hugging Face Trainer, and out of them."""

from collections.abc import Mapping
from typing import Any, cast

from collapse_guard.errors import ArgumentError, bad_argument
from collapse_guard.extras import require
from collapse_guard.monitor.monitor import CollapseMonitor

require("transformers", "huggingface")

from transformers import TrainerState  # noqa: E402

_PARTS = ("monitor", "full", "logs_next")


class CheckpointedState:
    """A session's state in that of a Trainer, which is written with every checkpoint.

    Kept there at every step, since the Trainer does not ask when it saves. `ExportableState`, which
    it does ask, would have it replace the user's callback when it resumes, and fail on checkpoints
    from before there was a callback.

    What is kept is `monitor`, the state of the monitor, `full`, the last look at the whole panel,
    so that a run that is resumed at its last step does not look again, and `logs_next`, whether the
    next small look is logged. The latest values are not: the Trainer asks for none but those of a
    look at the whole panel.

    Args:
        name: What tells two callbacks apart.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        # Unlike any class name: the Trainer rebuilds callbacks whose class it finds among the keys.
        self._key = f"collapse_guard/{name}"

    def of(self, state: TrainerState) -> dict[str, Any]:
        """What was kept, as a session loads it; empty where nothing was."""
        kept = _states(state).get(self._key)
        if not isinstance(kept, Mapping):
            # The session says that it is no state, while training goes on.
            return kept or {}
        # The release before kept a record that waited, too.
        return {"latest": {}, **{part: kept[part] for part in kept if part != "unlogged"}}

    def keep(self, state: TrainerState, session: Mapping[str, Any]) -> None:
        """Keep all that a session tells, after a look, or after something was logged."""
        if session:
            _states(state)[self._key] = {part: session[part] for part in _PARTS}

    def keep_timing(self, state: TrainerState, monitor: CollapseMonitor) -> None:
        """Keep what has changed after a step without a look, which costs next to nothing."""
        kept = _states(state).get(self._key)
        if kept is not None:
            kept["monitor"].update(monitor.timing_state())

    def refuse_another(self, state: TrainerState) -> None:
        """Refuse a second callback of the name, when training begins.

        Raises:
            ArgumentError: Somebody has kept something in our place already.
        """
        # A training begins with an empty state: who has kept something there is another.
        if not state.global_step and self._key in _states(state):
            raise self.name_is_taken()

    def name_is_taken(self) -> ArgumentError:
        """What a second callback of the name is told."""
        return bad_argument(
            "name",
            expected="a name that no other callback of this trainer has",
            given=self._name,
            hint='construct one of the two with another name, such as name="code"',
        )


def _states(state: TrainerState) -> dict[str, Any]:
    # The Trainer's annotation is that of the constructor's argument; what it keeps is a dict.
    return cast(dict[str, Any], state.stateful_callbacks)
