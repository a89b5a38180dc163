"""Where a Hugging Face Trainer keeps its records, and ours among them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from collapse_guard.extras import require
from collapse_guard.spacing import thinned_out

require("transformers", "huggingface")

from transformers import Trainer, TrainerControl, TrainerState, TrainingArguments  # noqa: E402

logger = logging.getLogger("collapse_guard")

MOST_RECORDS = 2_000
"""Of ours in a log history, which every checkpoint holds: about 2 MB. Trackers get them all."""

_LOOKED_THROUGH_EVERY = 256


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
    others: Mapping[str, Any]

    @property
    def model(self) -> torch.nn.Module:
        """What is trained."""
        model: torch.nn.Module = self.others["model"]
        return model

    @property
    def optimizer(self) -> object | None:
        """What trains it; None before there is any."""
        return self.others.get("optimizer")

    @property
    def step(self) -> int:
        """Optimizer steps so far."""
        return self.state.global_step


def log_record(record: Mapping[str, float], event: TrainerEvent, trainer: Trainer | None) -> None:
    """Log a record of its own, beside the records of the run.

    Args:
        record: What to log.
        event: Where the Trainer is.
        trainer: Says where the trackers are; with None they get nothing.
    """
    # Not by `Trainer.log`: it would swallow the loss record that is due at this step.
    state, logs = event.state, dict(record)
    if state.epoch is not None:
        logs["epoch"] = state.epoch
    state.log_history.append({**logs, "step": state.global_step})
    if len(state.log_history) % _LOOKED_THROUGH_EVERY == 0:
        _thin_out(state.log_history, like=record)
    if trainer is not None:
        handler: Any = trainer.callback_handler
        handler.call_event("on_log", event.args, state, event.control, logs=logs)


def _thin_out(history: list[dict[str, float]], like: Mapping[str, float]) -> None:
    """Of too many records like this one keep half as many as may be, evenly over the steps."""
    beginning = next(iter(like)).partition("/")[0] + "/"
    # Those of evaluations, which have our readings among others, are the run's own.
    ours = [
        record
        for record in history
        if all(key.startswith(beginning) for key in record.keys() - {"epoch", "step"})
    ]
    if len(ours) <= MOST_RECORDS:
        return
    kept = set(thinned_out([record["step"] for record in ours], MOST_RECORDS // 2))
    gone = {id(record) for place, record in enumerate(ours) if place not in kept}
    history[:] = [record for record in history if id(record) not in gone]


def tell_of_missed_trackers(event: TrainerEvent) -> None:
    """Warn that a callback that was not attached does not reach them."""
    if event.args.report_to:
        logger.warning(
            "the readings reach the log history but not %s: call attach(trainer) on the "
            "CollapseGuardCallback before trainer.train().",
            ", ".join(event.args.report_to),
        )
