"""The Hugging Face Trainer's callback: a translation between the Trainer and the monitor."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from collapse_guard.alerts.rules import Alert
from collapse_guard.alerts.sinks import AlertSink, log_alert
from collapse_guard.callbacks.actions import OnAlert, check_on_alert, decide
from collapse_guard.callbacks.arguments import check_monitor, check_name, do_nothing
from collapse_guard.callbacks.huggingface.passes import watch_passes
from collapse_guard.callbacks.huggingface.records import TrainerEvent, TrainerRecords
from collapse_guard.callbacks.huggingface.saving import SaveOnce
from collapse_guard.callbacks.huggingface.state import CheckpointedState
from collapse_guard.errors import ArgumentError, CollapseGuardError, bad_argument
from collapse_guard.extras import require
from collapse_guard.failures import FailureGuard, OnError
from collapse_guard.mixing.guard import MixGuard
from collapse_guard.model.schedule_free import is_schedule_free
from collapse_guard.monitor.monitor import CollapseMonitor
from collapse_guard.readings.reading import Reading

require("transformers", "huggingface")

from transformers import (  # noqa: E402
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

logger = logging.getLogger("collapse_guard")


class CollapseGuardCallback(TrainerCallback):
    """Watches a model while a `Trainer`, or one of TRL's, trains it: readings, alerts, actions.

    The monitor is asked after every optimizer step, and looks at as much as its pace allows; at the
    start, at each evaluation and after the last step it looks at the whole panel. Looks become
    records of their own in `state.log_history`, and in every tracker that the run reports to; the
    run's own records stay as they are without the callback. A look at the whole panel is logged
    when it is taken, the latest of the small ones when the run itself logs (`logging_steps`), and
    any that raises an alert at once. Logged keys, for `name="collapse"`:

    | key | what it is |
    | --- | --- |
    | `eval_collapse/<reading>` | each reading in `monitor.reading_names`; small looks have few |
    | `eval_collapse/<reading>_se` | standard error of tail_retention, head_retention, tail_gap |
    | `eval_collapse/alerts` | number of alerts so far |
    | `eval_collapse/overhead` | share of the training time that all looks so far have taken |

    The same values, of the whole panel, are put into the metrics of each evaluation, so that
    `metric_for_best_model="eval_collapse/tail_retention"` and an `EarlyStoppingCallback` can use
    them. There a value that could not be had is NaN, which never is the best one.

    Training goes on exactly as without the callback: same weights, random states and data. What
    fails inside it is reported to the logger `collapse_guard`, once for each kind of failure, and
    training goes on. A resumed run goes on with the start, pace and alarms of the run that it
    resumes. With a schedule-free optimizer the averaged weights are looked at. A trainer whose
    `train_dataset` is a `MixGuard` is held to its order before the first batch, and the monitor's
    prequential reader, where it has one, reads along.

    What an alert that is more than "info" makes the run do, on all processes alike:

    | on_alert | what happens |
    | --- | --- |
    | `"log"` | nothing beyond the sink |
    | `"save"` | a checkpoint of this step, also with `save_strategy="no"`; training goes on |
    | `"stop"` | training ends after this step |
    | `"save_and_stop"` | both |
    | a function | called with the alert on every process; may return one of the words above |

    At the start there is no step yet: what an alert asks for there happens after the first. A later
    checkpoint may push this one out where `save_total_limit` is set.

    Args:
        monitor: The monitor to ask. One that has been started keeps its start (a chain of runs is
            measured against its first model this way); any other starts when training does.
        on_alert: What an alert makes the run do: see above.
        sink: Called with each alert, on the main process.
        on_error: `"report"` logs what fails inside the callback, `"raise"` raises it.
        name: The part of the logged keys, and of the saved state, that tells two callbacks apart.

    Raises:
        ArgumentError: At construction, for an argument that cannot work.

    Example:
        After the trainer is made::

            guard = CollapseGuardCallback(CollapseMonitor(panel), on_alert="save_and_stop")
            guard.attach(trainer)
            trainer.train()
    """

    def __init__(
        self,
        monitor: CollapseMonitor,
        *,
        on_alert: OnAlert = "log",
        sink: AlertSink = log_alert,
        on_error: OnError = "report",
        name: str = "collapse",
    ) -> None:
        self.monitor = check_monitor(monitor)
        self.on_alert = check_on_alert(on_alert)
        self.sink = sink
        self.name = check_name(name)
        self._failures = FailureGuard(on_error)
        self._records = TrainerRecords(name)
        self._state = CheckpointedState(name)
        self._saving = SaveOnce()
        self._has_begun, self._is_training = False, False
        self._stop_watching: Callable[[], None] = do_nothing

    def attach(self, trainer: Trainer) -> "CollapseGuardCallback":
        """Join a trainer, first among its callbacks, and find its trackers.

        A callback that is only given to `Trainer(callbacks=[...])` does everything else, but the
        Trainer does not tell it where the trackers are: its readings then reach
        `state.log_history` and the evaluation metrics alone. Nor can it refuse, before the first
        batch, a loader that reads a `MixGuard` out of order.

        Args:
            trainer: The trainer to watch; its `train` has not been called yet.

        Returns:
            This callback.

        Raises:
            ArgumentError: The trainer has another such callback of the same name.
        """
        callbacks = trainer.callback_handler.callbacks
        if self in callbacks:
            callbacks.remove(self)
        for other in callbacks:
            if isinstance(other, CollapseGuardCallback) and other.name == self.name:
                raise self._name_is_taken()
        # First, so that an EarlyStoppingCallback finds our metrics wherever it stands.
        callbacks.insert(0, self)
        self._records.trainer = trainer
        return self

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take the start, or take it up from the checkpoint that is resumed.

        Raises:
            ArgumentError: The trainer has another such callback of the same name.
            MixOrderError: The trainer would read its `MixGuard` out of order.
        """
        # A training begins with an empty state: who has kept something in our place is another.
        if not state.global_step and self._state.of(state) is not None:
            raise self._name_is_taken()
        trainer = self._records.trainer
        if trainer is None and args.report_to:
            logger.warning(
                "the readings reach the log history but not %s: call attach(trainer) on the "
                "CollapseGuardCallback before trainer.train().",
                ", ".join(args.report_to),
            )
        if trainer is not None and isinstance(trainer.train_dataset, MixGuard):
            trainer.train_dataset.check_loader(kwargs["train_dataloader"])
        self._has_begun, self._is_training = True, True
        self._records.begin()
        self._saving.forget()
        event = TrainerEvent(args, state, control, kwargs)
        if not self._resume(state):
            self.monitor.pause()
            self._ask(self.monitor.look if self.monitor.started else self.monitor.start, event)
        # A training that was broken off has left it watching.
        self._stop_watching()
        if self.monitor.prequential is not None:
            with self._contained("reading human rows off the training", event):
                self._stop_watching = watch_passes(self.monitor.prequential, trainer, event)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Look as the pace allows; after the last step at all, before a best model is loaded."""
        event = TrainerEvent(args, state, control, kwargs)
        self._saving.remind(event)
        # Without a start, which was told when it failed, there is nothing to compare with.
        if self.monitor.started:
            is_last = state.global_step >= state.max_steps
            self._ask(self.monitor.look if is_last else self.monitor.observe, event)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Log the latest small look with what the run logs."""
        if self._records.unlogged is not None:
            event = TrainerEvent(args, state, control, kwargs)
            with self._contained("logging a reading", event):
                self._records.log(event)
                self._state.keep(state, self.monitor, None)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Put the readings into the metrics, from which the best model is chosen."""
        event = TrainerEvent(args, state, control, kwargs)
        if self._has_begun or self.monitor.started:
            # One that could not start must not make a start of a model that is trained already.
            self._look_if_new(event)
        else:
            # An evaluation before the training sees the model that the run starts from.
            self._ask(self.monitor.start, event)
        self._saving.insist(event)
        if metrics is not None:
            metrics.update(self._records.metrics(self.monitor, state))

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take note that the time until the next step is no training."""
        self.monitor.pause()

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take note that what was to be saved is saved."""
        self._saving.fulfilled(TrainerEvent(args, state, control, kwargs))

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Look a last time at a run that is being stopped, while it can still be saved."""
        if control.should_training_stop:
            self._look_if_new(TrainerEvent(args, state, control, kwargs))

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Look a last time at a run that was stopped at the end of an epoch."""
        # With a best model loaded by now, the weights are no longer those of this step.
        if not args.load_best_model_at_end:
            self._look_if_new(TrainerEvent(args, state, control, kwargs))
        else:
            # An evaluation from now on is of that model.
            self._records.forget_full()
        self._is_training = False
        self.monitor.pause()
        self._stop_watching()
        self._stop_watching = do_nothing

    def _name_is_taken(self) -> ArgumentError:
        return bad_argument(
            "name",
            expected="a name that no other callback of this trainer has",
            given=self.name,
            hint='construct one of the two with another name, such as name="code"',
        )

    def _resume(self, state: TrainerState) -> bool:
        if not state.global_step:
            return False
        saved = self._state.of(state)
        if saved is not None:
            with self._failures.contained("resuming the monitor"):
                self.monitor.load_state_dict(saved["monitor"])
                self._records.unlogged = saved["unlogged"]
                return True
        if not self.monitor.started:
            logger.warning(
                "the checkpoint holds no usable state of this callback: the readings compare with "
                "the model at step %d, where it joined.",
                state.global_step,
            )
        return False

    def _look_if_new(self, event: TrainerEvent) -> None:
        if self.monitor.started and not self._records.has_full(event.state):
            self._ask(self.monitor.look, event)

    def _ask(self, look: Callable[..., Reading], event: TrainerEvent) -> None:
        """Let the monitor look, or see that it need not, and do all that follows from it."""
        optimizer = event.others.get("optimizer")
        if is_schedule_free(optimizer):
            look = partial(look, optimizer=optimizer)
        told = len(self.monitor.alerts)
        reading: Reading | None = None
        with self._contained("taking a reading", event):
            reading = look(event.others["model"], event.state.global_step)
            if not reading:
                self._state.keep_timing(event.state, self.monitor)
                return
        alerts = self.monitor.alerts[told:]
        with self._contained("logging a reading", event):
            if reading:
                at_once = reading.is_full or bool(alerts)
                self._records.take(reading, self.monitor, event, at_once=at_once)
            if self.monitor.started:
                self._state.keep(event.state, self.monitor, self._records.unlogged)
        if event.state.is_world_process_zero:
            for alert in alerts:
                with self._contained("passing on an alert", event):
                    self.sink(alert)
        # Whatever went wrong above: a process that did not ask would hold up the others.
        with self._contained("acting on an alert", event):
            self._act(alerts, event)

    def _act(self, alerts: list[Alert], event: TrainerEvent) -> None:
        decision = decide(self.on_alert, alerts)
        if decision.save and self._is_training:
            self._saving.wish(event)
        if decision.stop:
            step = event.state.global_step
            logger.warning("training stops at step %d because of an alert.", step)
            event.control.should_training_stop = True

    @contextmanager
    def _contained(self, task: str, event: TrainerEvent) -> Iterator[None]:
        try:
            with self._failures.contained(task):
                yield
        except RuntimeError as error:
            if not event.args.auto_find_batch_size:
                raise
            # The Trainer takes a RuntimeError about memory for one of its own, and starts again
            # with smaller batches, from weights that are trained.
            raise CollapseGuardError(f"{task} failed: {error}") from error
