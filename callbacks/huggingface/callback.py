"""The Hugging Face Trainer's callback: a translation between the Trainer and a session."""

from functools import partial
from typing import Any

from collapse_guard.alerts.sinks import AlertSink, log_alert
from collapse_guard.callbacks.actions import OnAlert
from collapse_guard.callbacks.huggingface.evaluation import EvaluationMetrics, MissingMetric
from collapse_guard.callbacks.huggingface.failures import TrainerFailures
from collapse_guard.callbacks.huggingface.passes import watch_passes
from collapse_guard.callbacks.huggingface.records import (
    TrainerEvent,
    log_record,
    tell_of_missed_trackers,
)
from collapse_guard.callbacks.huggingface.saving import SaveOnce
from collapse_guard.callbacks.huggingface.state import CheckpointedState
from collapse_guard.callbacks.huggingface.trainers import (
    JoinedTrainers,
    WhenAllHaveBegun,
    stand_last,
)
from collapse_guard.callbacks.session import WatchSession
from collapse_guard.extras import require
from collapse_guard.failures import OnError
from collapse_guard.mixing.guard import MixGuard
from collapse_guard.mixing.packing.packed_mix import PackedMix
from collapse_guard.monitor.monitor import CollapseMonitor

require("transformers", "huggingface")

from transformers import (  # noqa: E402
    Trainer,
    TrainerCallback,
    TrainerControl as Control,
    TrainerState as State,
    TrainingArguments as Args,
)


class CollapseGuardCallback(TrainerCallback):
    """Watches a model while a `Trainer`, or one of TRL's, trains it: readings, alerts, actions.

    The monitor is asked after every optimizer step, and looks at as much as its pace allows; at the
    start, at each evaluation and after the last step it looks at the whole panel. Looks become
    records of their own in `state.log_history`, and in every tracker that the run reports to; the
    run's own records stay as they are without the callback. What is logged is logged when the look
    is taken, at its own step: each look at the whole panel, each that raises an alert, and of small
    ones the first after each time that the run itself logs its loss (`logging_steps`). The logged
    keys are those of `collapse_guard.callbacks.records` with `eval_` before them, as in
    `eval_collapse/tail_retention`.

    The same values, of the whole panel, are put into the metrics of each evaluation, so that
    `metric_for_best_model="eval_collapse/tail_retention"` and an `EarlyStoppingCallback` can use
    them. A value that could not be had is missing there: the stopper lets it pass, and the best
    model is another. A callback that is not attached must put in NaN, for the Trainer would miss
    the metric: a stopper that is listed after it counts that as no improvement. So does a learning
    rate that follows the metric (`lr_scheduler_type="reduce_lr_on_plateau"`), attached or not: give
    it patience for a look that may fail. A search of hyperparameters that is told no objective, and
    takes the sum of all metrics, gets none of ours but `metric_for_best_model`; a callback that is
    not attached takes every search for such a one.

    Training goes on exactly as without the callback: same weights, random states and data. What
    fails inside it is reported to the logger `collapse_guard`, once for each kind of failure, and
    training goes on.

    Each call of `train` is a run with a start, alerts, pace and history of its own, also with the
    same callback: a trial of `hyperparameter_search`, another model or trainer, or more training of
    the same model, which is then compared with itself as it was when that call began. The log says
    so. To compare with the first model throughout, give `CollapseMonitor(baseline=)`. A resumed run
    (`resume_from_checkpoint`) goes on with the start, pace and alerts of the run that it resumes.

    With a schedule-free optimizer the averaged weights are looked at. A trainer whose
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
        monitor: The monitor to ask. One that was given a start, or was started by
            hand or under another callback, keeps it (a chain of runs is measured against its first
            model this way); any other starts when training does.
        on_alert: What an alert makes the run do: see above.
        sink: Called with each alert, on the main process.
        on_error: `"report"` logs what fails inside the callback, `"raise"` raises it.
        name: The part of the logged keys, and of the saved state, that tells two callbacks apart.
        agree_within: Seconds that the processes of a distributed run wait for each other at a look.

    Attributes:
        session: What does all of this: the callback only translates.
        monitor: As given.
        name: As given.

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
        agree_within: float = 120.0,
    ) -> None:
        self._failures = TrainerFailures(on_error)
        self.session = WatchSession(
            monitor,
            on_alert=on_alert,
            sink=sink,
            on_error=self._failures,
            name=name,
            # Trackers move keys that do not begin with "eval_" or "test_" among the training's.
            prefix="eval_",
            log=self._log,
            log_every_n_steps=None,
            save=self._save,
            stop=self._stop,
            on_change=self._keep,
            agree_within=agree_within,
        )
        self.monitor, self.name = monitor, name
        self._state, self._saving = CheckpointedState(name), SaveOnce()
        self._missing = MissingMetric(f"eval_{name}/")
        self._metrics, self._joined = EvaluationMetrics(self._missing), JoinedTrainers()
        self._begun = WhenAllHaveBegun(self._begin)
        self._trainer: Trainer | None = None
        self._event: TrainerEvent
        self._run: State | None = None
        self._is_training = False

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
                raise self._state.name_is_taken()
        # First, so that an EarlyStoppingCallback finds our metrics wherever it stands.
        callbacks.insert(0, self)
        stand_last(trainer, self._missing, self._begun)
        self._joined.join(trainer)
        return self

    def on_train_begin(self, args: Args, state: State, control: Control, **kwargs: Any) -> None:
        """Refuse what cannot be watched; the start is taken when all other callbacks have begun.

        Raises:
            ArgumentError: The trainer has another such callback of the same name.
            MixOrderError: The trainer would read its `MixGuard` out of order.
        """
        event = self._at(args, state, control, kwargs)
        self._run, self._is_training = state, True
        self._saving.forget()
        # Empty where nothing is resumed.
        self.session.load_state_dict(self._state.of(state))
        if self._trainer is None:
            tell_of_missed_trackers(event)
            self._begin(args, state, control, **kwargs)
            return
        # Callbacks may have been added since.
        stand_last(self._trainer, self._missing, self._begun)
        if isinstance(data := self._trainer.train_dataset, MixGuard | PackedMix):
            data.check_loader(kwargs["train_dataloader"])

    def on_step_end(self, args: Args, state: State, control: Control, **kwargs: Any) -> None:
        """Look as the pace allows; after the last step at all, before a best model is loaded."""
        self._saving.remind(event := self._at(args, state, control, kwargs))
        look = self.session.look if event.step >= state.max_steps else self.session.step
        look(event.model, event.step, optimizer=event.optimizer)
        self._state.keep_timing(state, self.monitor)

    def on_log(self, args: Args, state: State, control: Control, **kwargs: Any) -> None:
        """Log the next small look too, when the run has logged its loss."""
        if "loss" in (kwargs.get("logs") or {}):
            self._at(args, state, control, kwargs)
            self.session.log_next()

    def on_evaluate(self, args: Args, state: State, control: Control, **kwargs: Any) -> None:
        """Put the readings into the metrics, from which the best model is chosen."""
        event = self._at(args, state, control, kwargs)
        # Another state is another run's, or none's: its model is not compared with this one's.
        look = self.session.look if state is self._run else self.session.start
        self._run = state
        look(event.model, event.step, optimizer=event.optimizer)
        self._saving.insist(event)
        if kwargs.get("metrics") is not None:
            trainer, readings = self._trainer, self.session.metrics(event.step)
            self._metrics.put_in(kwargs["metrics"], readings, args, state, trainer)
            if trainer is None and self._is_training:
                self._metrics.fill_in(kwargs["metrics"], args)

    def on_prediction_step(self, args: Args, state: State, control: Control, **kwargs: Any) -> None:
        """Take note that the time until the next step is no training."""
        self.monitor.pause()

    def on_save(self, args: Args, state: State, control: Control, **kwargs: Any) -> None:
        """Take note that what was to be saved is saved."""
        self._saving.fulfilled(self._at(args, state, control, kwargs))

    def on_epoch_end(self, args: Args, state: State, control: Control, **kwargs: Any) -> None:
        """Look a last time at a run that is being stopped, while it can still be saved."""
        event = self._at(args, state, control, kwargs)
        if control.should_training_stop:
            self.session.look(event.model, event.step, optimizer=event.optimizer)

    def on_train_end(self, args: Args, state: State, control: Control, **kwargs: Any) -> None:
        """Look a last time at a run that was stopped at the end of an epoch."""
        event, self._is_training = self._at(args, state, control, kwargs), False
        # With a best model loaded by now, the weights are no longer those of this step.
        model = None if args.load_best_model_at_end else event.model
        self.session.end(model, event.step, optimizer=event.optimizer)

    def _begin(self, args: Args, state: State, control: Control, **kwargs: Any) -> None:
        """Take the start, or take it up from the checkpoint that is resumed."""
        event = self._at(args, state, control, kwargs)
        self._state.refuse_another(state)
        self.session.start(event.model, event.step, optimizer=event.optimizer)
        self.session.read_along(partial(watch_passes, trainer=self._trainer, event=event))

    def _at(self, args: Args, state: State, control: Control, others: Any) -> TrainerEvent:
        self._event = TrainerEvent(args, state, control, others)
        self._trainer = self._joined.of(state)
        self._failures.finds_batch_size = args.auto_find_batch_size
        return self._event

    def _log(self, record: dict[str, float], step: int) -> None:
        log_record(record, self._event, self._trainer)

    def _save(self, step: int) -> None:
        if self._is_training:
            self._saving.wish(self._event)

    def _stop(self) -> None:
        self._event.control.should_training_stop = True

    def _keep(self) -> None:
        self._state.keep(self._event.state, self.session.state_dict())
