"""Which of the trainers that a callback has joined an event is of, and where it stands in one."""

import weakref
from collections.abc import Callable
from typing import Any

from collapse_guard.extras import require

require("transformers", "huggingface")

from transformers import (  # noqa: E402
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)


class JoinedTrainers:
    """The trainers that a callback was attached to, none of which it keeps alive."""

    def __init__(self) -> None:
        self._trainers: list[weakref.ref[Trainer]] = []

    def join(self, trainer: Trainer) -> None:
        """Take in another, or one of them once more."""
        self._trainers = [each for each in self._trainers if each() not in (None, trainer)]
        self._trainers.append(weakref.ref(trainer))

    def of(self, state: TrainerState) -> Trainer | None:
        """The one whose progress this is; None where the callback was not attached to it."""
        joined = (each() for each in self._trainers)
        return next((each for each in joined if each is not None and each.state is state), None)


def stand_last(trainer: Trainer, *callbacks: TrainerCallback) -> None:
    """Give some callbacks the last places among a trainer's."""
    handler = trainer.callback_handler
    # In place: the handler may be going through them.
    handler.callbacks[:] = [each for each in handler.callbacks if each not in callbacks]
    handler.callbacks.extend(callbacks)


class WhenAllHaveBegun(TrainerCallback):
    """Stands last, and says when all others have begun a training, the trackers among them.

    A tracker that is sent a record before makes up for its beginning in its own way: TensorBoard's
    writes beside the run's folder, and all that hold several runs would take it for one of the run
    before.

    Args:
        then: Called with what `on_train_begin` is told.
    """

    def __init__(self, then: Callable[..., None]) -> None:
        self._then = then

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Say so."""
        self._then(args, state, control, **kwargs)
