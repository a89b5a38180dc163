"""Which of the trainers that a callback has joined an event is of."""

import weakref

from collapse_guard.extras import require

require("transformers", "huggingface")

from transformers import Trainer, TrainerState  # noqa: E402


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
