"""Where a Hugging Face Trainer keeps its records, and ours among them."""

import math
from dataclasses import dataclass
from typing import Any

from collapse_guard.callbacks.records import record_keys, record_of
from collapse_guard.extras import require
from collapse_guard.monitor.monitor import CollapseMonitor
from collapse_guard.readings.reading import Reading

require("transformers", "huggingface")

from transformers import Trainer, TrainerControl, TrainerState, TrainingArguments  # noqa: E402

Record = dict[str, float]


@dataclass(frozen=True)
class TrainerEvent:
    """What a Trainer tells its callbacks at one of its events.

    Attributes:
        args: Its settings.
        state: Its progress, saved with each checkpoint.
        control: What it is to do next.
        others: The rest by name, `model` and `optimizer` among them.
    """

    args: TrainingArguments
    state: TrainerState
    control: TrainerControl
    others: dict[str, Any]


class TrainerRecords:
    """Logs readings as records of their own, beside the records of the run.

    Args:
        name: The part of the keys that tells two callbacks apart.

    Attributes:
        trainer: Says where the trackers are; while it is None they get nothing.
        unlogged: The latest small look's record, while the run has not logged anything since.
    """

    def __init__(self, name: str) -> None:
        self.trainer: Trainer | None = None
        self.unlogged: Record | None = None
        self._name = name
        self._full: Record = {}
        self._full_step = -1

    def begin(self) -> None:
        """Forget all looks: a training begins."""
        self.unlogged, self._full, self._full_step = None, {}, -1

    def forget_full(self) -> None:
        """Take the latest look at the whole panel for one at another model."""
        self._full, self._full_step = {}, -1

    def has_full(self, state: TrainerState) -> bool:
        """Whether the whole panel has been looked at since the last step."""
        return self._full_step == state.global_step

    def take(
        self, reading: Reading, monitor: CollapseMonitor, event: TrainerEvent, *, at_once: bool
    ) -> None:
        """Log a look: now, or when the run logs."""
        values = record_of(reading, monitor)
        record = {self._key(name): value for name, value in values.items()}
        if reading.is_full:
            self._full, self._full_step = record, event.state.global_step
        self.unlogged = record
        if at_once:
            self.log(event)

    def log(self, event: TrainerEvent) -> None:
        """Log what is unlogged."""
        # Taken before it is passed on: the trackers' event is our own callback's as well.
        record, self.unlogged = self.unlogged, None
        if record is None:
            return
        # Not by `Trainer.log`: it would swallow the loss record that is due at this step.
        state, logs = event.state, dict(record)
        if state.epoch is not None:
            logs["epoch"] = state.epoch
        state.log_history.append({**logs, "step": state.global_step})
        if self.trainer is not None:
            handler: Any = self.trainer.callback_handler
            handler.call_event("on_log", event.args, state, event.control, logs=logs)

    def metrics(self, monitor: CollapseMonitor, state: TrainerState) -> Record:
        """The look at the whole panel since the last step, for the metrics of an evaluation.

        A metric that goes missing would end the run with a KeyError when the best model is chosen;
        one that is not a number never wins. So there is a NaN for whatever could not be had.
        """
        nothing = dict.fromkeys(map(self._key, record_keys(monitor)), math.nan)
        return nothing | (self._full if self.has_full(state) else {})

    def _key(self, name: str) -> str:
        # Trackers move keys that do not begin with "eval_" or "test_" among those of the training.
        return f"eval_{self._name}/{name}"
