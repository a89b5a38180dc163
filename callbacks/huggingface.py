"""The Hugging Face Trainer's callback: a translation between the Trainer and the monitor."""

import logging
import math
from collections.abc import Callable
from typing import Any, Literal, cast

import torch

from collapse_guard.agreement import any_process
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.failures import FailureGuard, OnError
from collapse_guard.monitor import CollapseMonitor
from collapse_guard.readings import Reading
from collapse_guard.rules import Alert
from collapse_guard.sinks import AlertSink, log_alert

require("transformers", "huggingface")

from transformers import (  # noqa: E402
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

logger = logging.getLogger("collapse_guard")

_LOGGED_WITH_ERROR = ("tail_retention", "head_retention", "tail_gap")


class CollapseGuardCallback(TrainerCallback):
    """Takes readings while a `Trainer` trains, logs them, and raises alerts.

    A reading is taken before the first step, every `every_n_steps` steps, at each evaluation, and
    after the last step. It becomes a record of its own in `state.log_history`, and in every
    tracker that the run reports to, at the step it belongs to; the run's own records stay as they
    are without the callback. Logged keys, for `name="collapse"`:

    | key | what it is |
    | --- | --- |
    | `eval_collapse/<reading>` | each reading in `monitor.reading_names` |
    | `eval_collapse/<reading>_se` | standard error of tail_retention, head_retention, tail_gap |
    | `eval_collapse/alerts` | number of alerts so far |

    The same values are put into the metrics of each evaluation, so that `metric_for_best_model`
    and an `EarlyStoppingCallback` can use them.

    Training goes on exactly as without the callback: same weights, random states and data. What
    fails inside it is reported to the logger `collapse_guard`, once for each kind of failure, and
    training goes on. A resumed run goes on with the start, and the patience, of the run that it
    resumes.

    Args:
        monitor: The monitor to ask. One that has been started keeps its start (a chain of runs is
            measured against its first model this way); any other starts when training does.
        every_n_steps: Optimizer steps between two readings, at least 1.
        sink: Called with each alert, on the main process.
        on_alert: `"log"` only passes alerts to the sink; `"stop"` also ends the training, on all
            processes, after the step of the first alert that is more than "info".
        on_error: `"report"` logs what fails inside the callback, `"raise"` raises it.
        name: The part of the logged keys, and of the saved state, that tells two callbacks apart.

    Raises:
        ArgumentError: At construction, for an argument that cannot work.

    Example:
        After the trainer is made::

            guard = CollapseGuardCallback(CollapseMonitor(panel), every_n_steps=50)
            guard.attach(trainer)
            trainer.train()
    """

    def __init__(
        self,
        monitor: CollapseMonitor,
        *,
        every_n_steps: int = 50,
        sink: AlertSink = log_alert,
        on_alert: Literal["log", "stop"] = "log",
        on_error: OnError = "report",
        name: str = "collapse",
    ) -> None:
        if not isinstance(monitor, CollapseMonitor):
            raise bad_argument(
                "monitor",
                expected="a CollapseMonitor",
                given=monitor,
                hint="give CollapseMonitor(panel)",
            )
        if every_n_steps < 1:
            raise bad_argument(
                "every_n_steps",
                expected="at least 1 step",
                given=every_n_steps,
                hint="50 is the default",
            )
        if on_alert not in ("log", "stop"):
            raise bad_argument(
                "on_alert", expected='"log" or "stop"', given=on_alert, hint="choose"
            )
        if not name.isidentifier():
            raise bad_argument(
                "name",
                expected="letters, digits and underscores",
                given=name,
                hint='"collapse" is the default',
            )
        self.monitor = monitor
        self.every_n_steps = every_n_steps
        self.sink = sink
        self.on_alert = on_alert
        self.name = name
        self._failures = FailureGuard(on_error)
        self._trainer: Trainer | None = None
        self._begun = False
        self._latest = self._record(None)
        self._latest_step = -1

    def attach(self, trainer: Trainer) -> "CollapseGuardCallback":
        """Join a trainer, first among its callbacks, and find its trackers.

        A callback that is only given to `Trainer(callbacks=[...])` does everything else, but the
        Trainer does not tell it where the trackers are: its readings then reach
        `state.log_history` and the evaluation metrics alone.

        Args:
            trainer: The trainer to watch; its `train` has not been called yet.

        Returns:
            This callback.
        """
        callbacks = trainer.callback_handler.callbacks
        if self in callbacks:
            callbacks.remove(self)
        # First, so that an EarlyStoppingCallback finds our metrics wherever it stands.
        callbacks.insert(0, self)
        self._trainer = trainer
        return self

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Take the start, or take it up from the checkpoint that is resumed."""
        if self._trainer is None and args.report_to:
            logger.warning(
                "the readings reach the log history but not %s: call attach(trainer) on the "
                "CollapseGuardCallback before trainer.train().",
                ", ".join(args.report_to),
            )
        self._latest_step = -1
        self._begun = True
        saved = _saved_states(state).get(self._state_key) if state.global_step else None
        if saved is not None:
            with self._failures.contained("resuming the monitor"):
                self.monitor.load_state_dict(saved)
                return
        if state.global_step and not self.monitor.started:
            logger.warning(
                "the checkpoint holds no usable state of this callback: the readings compare with "
                "the model at step %d, where it joined.",
                state.global_step,
            )
        look = self.monitor.observe if self.monitor.started else self.monitor.start
        self._look(look, args, state, control, kwargs["model"])

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Look when it is time, and after the last step, before a best model may be loaded."""
        step = state.global_step
        if step % self.every_n_steps == 0 or step >= state.max_steps:
            self._look(self.monitor.observe, args, state, control, kwargs["model"])

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Put the readings into the metrics, from which the best model is chosen."""
        if self._latest_step != state.global_step:
            # An evaluation before the training sees the model that the run starts from; one within
            # a run that has no start must not make a start of a model that is trained already.
            first = not (self.monitor.started or self._begun)
            look = self.monitor.start if first else self.monitor.observe
            self._look(look, args, state, control, kwargs["model"])
        if metrics is not None:
            fresh = self._latest_step == state.global_step
            # A metric that goes missing would end the run with a KeyError when the best model is
            # chosen; one that is not a number never wins.
            metrics.update(self._latest if fresh else self._record(None))

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Take the last reading of a run that was stopped between two looks."""
        # With a best model loaded by now, the weights are no longer those of this step.
        if self._latest_step != state.global_step and not args.load_best_model_at_end:
            self._look(self.monitor.observe, args, state, control, kwargs["model"])

    @property
    def _state_key(self) -> str:
        # Unlike any class name: the Trainer rebuilds callbacks whose class it finds among the keys.
        return f"collapse_guard/{self.name}"

    def _look(
        self,
        look: Callable[[torch.nn.Module, int], Reading],
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: torch.nn.Module,
    ) -> None:
        told = len(self.monitor.alerts)
        with self._failures.contained("taking a reading"):
            self._latest = self._record(look(model, state.global_step))
            self._latest_step = state.global_step
            _saved_states(state)[self._state_key] = self.monitor.state_dict()
        alerts = self.monitor.alerts[told:]
        if self._latest_step == state.global_step:
            with self._failures.contained("logging a reading"):
                self._publish(args, state, control)
        if state.is_world_process_zero:
            for alert in alerts:
                with self._failures.contained("passing on an alert"):
                    self.sink(alert)
        # Asked on every process, whatever went wrong above: a missing one would hold up the rest.
        if any_process(self._wants_stop(alerts), args.device):
            logger.warning("training stops at step %d because of an alert.", state.global_step)
            control.should_training_stop = True

    def _wants_stop(self, alerts: list[Alert]) -> bool:
        return self.on_alert == "stop" and any(alert.severity != "info" for alert in alerts)

    def _record(self, reading: Reading | None) -> dict[str, float]:
        """What is logged of a reading: Python floats, since a checkpoint takes nothing else."""
        values = dict.fromkeys(self.monitor.reading_names, math.nan) | dict(reading or {})
        errors = {} if reading is None else reading.standard_errors
        for paired in _LOGGED_WITH_ERROR:
            values[f"{paired}_se"] = errors.get(paired, math.nan)
        values["alerts"] = float(len(self.monitor.alerts))
        return {f"eval_{self.name}/{key}": float(value) for key, value in values.items()}

    def _publish(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl
    ) -> None:
        # Not through `Trainer.log`: it would swallow the loss record that is due at this step.
        logs = dict(self._latest)
        if state.epoch is not None:
            logs["epoch"] = state.epoch
        state.log_history.append({**logs, "step": state.global_step})
        if self._trainer is not None:
            handler: Any = self._trainer.callback_handler
            handler.call_event("on_log", args, state, control, logs=logs)


def _saved_states(state: TrainerState) -> dict[str, Any]:
    # The Trainer's annotation is that of the constructor's argument; what it keeps is a dict.
    return cast(dict[str, Any], state.stateful_callbacks)
