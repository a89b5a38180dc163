"""Lightning's callback: a translation between its Trainer and a session."""

import logging
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from collapse_guard.alerts.sinks import AlertSink, log_alert
from collapse_guard.callbacks.actions import OnAlert
from collapse_guard.callbacks.lightning.loaders import check_loaders, read_on
from collapse_guard.callbacks.lightning.missing import offered, spare_stoppers
from collapse_guard.callbacks.lightning.model import (
    AsInTraining,
    Forward,
    ModelGetter,
    model_getter,
    refuse_part_of_sharded,
    watch_passes,
)
from collapse_guard.callbacks.lightning.saving import save_on_all
from collapse_guard.callbacks.session import WatchSession
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.failures import OnError
from collapse_guard.model.schedule_free import is_schedule_free
from collapse_guard.monitor.monitor import CollapseMonitor

require("lightning", "lightning")

from lightning.pytorch import Callback, LightningModule, Trainer  # noqa: E402

logger = logging.getLogger("collapse_guard")


class CollapseGuard(Callback):
    """Watches a model while a Lightning `Trainer` fits it: readings, alerts, actions.

    The monitor is asked after every optimizer step, and looks at as much as its pace allows; at the
    start, at each validation and after the last step it looks at the whole panel. Looks go to every
    logger at the `global_step` that they were taken at (Lightning names its own records by the step
    before); the run's own records stay as they are without the callback. What is logged is logged
    when the look is taken: each look at the whole panel, each that raises an alert, and of small
    ones the first in every `log_every_n_steps` of the Trainer. The logged keys are those of
    `collapse_guard.callbacks.records`, as in `collapse/tail_retention`.

    The last value that could be had of each is in `trainer.callback_metrics` from the first step
    on, so that `EarlyStopping(monitor="collapse/tail_retention", mode="max")` and `ModelCheckpoint`
    work, wherever they stand among the callbacks. Where the last look could not give a value, an
    `EarlyStopping` passes over its check, and a `ModelCheckpoint` finds NaN, which it never takes
    for the best. A learning rate that follows a reading (`ReduceLROnPlateau`) finds the value of
    old, or NaN where there is none, and counts either as no improvement: give it patience for a
    look that may fail.

    Training goes on exactly as without the callback: same weights, random states and data. What
    fails inside it is reported to the logger `collapse_guard`, once for each kind of failure, and
    training goes on.

    Each call of `fit` is a run with a start, alerts, pace and history of its own, also with the
    same callback: with another module or trainer, or where it goes on training the same module,
    which is then compared with itself as it was when that call began. The log says so. To compare
    with the first model throughout, give `CollapseMonitor(baseline=)`. A resumed run (`ckpt_path`)
    goes on with the start, pace and alerts of the run that it resumes.

    With a schedule-free optimizer the averaged weights are looked at. A loader that reads
    a `MixGuard` is held to its order before the first batch; where a run is resumed in mid-epoch,
    it reads on at the batch that is next, which Lightning alone would not have it do. The monitor's
    prequential reader, where it has one, reads along.

    What an alert that is more than "info" makes the run do, on all processes alike:

    | on_alert | what happens |
    | --- | --- |
    | `"log"` | nothing beyond the sink |
    | `"save"` | a checkpoint of this step, beside the run's others; training goes on |
    | `"stop"` | training ends, after a last validation, and not before `min_steps`, `min_epochs` |
    | `"save_and_stop"` | both |
    | a function | called with the alert on every process; may return one of the words above |

    In a distributed run all processes share the work. Where parameters are sharded, the model has
    to be the root of `fully_shard`; `FSDPStrategy` is refused.

    Args:
        monitor: The monitor to ask. One that was given a start, or was started by
            hand or under another callback, keeps it (a chain of runs is measured against its first
            model this way); any other starts when training does.
        model: Gets the causal language model out of the LightningModule. Where left out, that is
            the only attribute with parameters, or the only transformers model among several.
        forward: In place of `model`: a function of the LightningModule and of token ids, int64 of
            shape (rows, tokens), that returns logits of shape (rows, tokens, vocabulary).
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
        ArgumentError: At construction, for an argument that cannot work; when `fit` begins, where
            the language model is not told and not obvious, or cannot be called by itself, or where
            the Trainer is one of `pytorch_lightning` and not of `lightning`.

    Example:
        ::

            guard = CollapseGuard(CollapseMonitor(panel), on_alert="save_and_stop")
            trainer = Trainer(callbacks=[guard])
            trainer.fit(module, loader)
    """

    def __init__(
        self,
        monitor: CollapseMonitor,
        *,
        model: ModelGetter | None = None,
        forward: Forward | None = None,
        on_alert: OnAlert = "log",
        sink: AlertSink = log_alert,
        on_error: OnError = "report",
        name: str = "collapse",
        agree_within: float = 120.0,
    ) -> None:
        self._get_model = model_getter(model, forward)
        self.session = WatchSession(
            monitor,
            on_alert=on_alert,
            sink=sink,
            on_error=on_error,
            name=name,
            log=self._log,
            save=self._save,
            stop=self._stop,
            on_change=self._offer,
            agree_within=agree_within,
        )
        self.monitor, self.name = monitor, name
        self._model: AsInTraining | None = None
        # Any, for what its connectors set on it, of which its class knows nothing.
        self._trainer: Any = None
        self._fits = True
        self._undo: Callable[[], None] | None = None

    @property
    def state_key(self) -> str:
        """The name that the state is saved under."""
        return self._generate_state_key(name=self.name)

    def state_dict(self) -> dict[str, Any]:
        """The monitor's state and the latest values, in plain Python types."""
        return self.session.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        # `trainer.test(ckpt_path="best")` restores callbacks too: the run stays where it is.
        if self._fits:
            self.session.load_state_dict(state_dict)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a Trainer of the other package, which goes by the same name."""
        if not isinstance(trainer, Trainer):
            raise bad_argument(
                "trainer",
                expected="a Trainer of `lightning.pytorch`",
                given=f"one of {type(trainer).__module__.partition('.')[0]}, whose classes differ",
                hint="import Trainer, LightningModule and loggers from lightning.pytorch",
            )
        self._fits = stage == "fit"

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the language model, before anything that takes long."""
        model = self._get_model(pl_module)
        refuse_part_of_sharded(model, pl_module, trainer)
        self._model, self._trainer = AsInTraining(model, trainer), trainer

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the start, or take it up from the checkpoint that is resumed.

        Raises:
            MixOrderError: A loader would read its `MixGuard` out of order, or a resumed one would
                begin at the first row again.
        """
        check_loaders(trainer)
        read_on(trainer)
        self._undo = spare_stoppers(self.session, trainer)
        self.session.log_every_n_steps = self._trainer.log_every_n_steps or None
        if self._model is not None:
            self.session.start(self._model, trainer.global_step, optimizer=_optimizer(trainer))
            watch = partial(watch_passes, model=self._model.model, trainer=trainer)
            self.session.read_along(watch)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Look at what the pace allows, where the batch has ended an optimizer step."""
        if self._model is not None:
            # A batch whose gradients are accumulated is no step, and leaves the number as it was.
            self.session.step(self._model, trainer.global_step, optimizer=_optimizer(trainer))

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the whole panel, before anyone asks what the validation has shown."""
        if trainer.sanity_checking:
            return
        # A validation of its own, outside of `fit`, has no step to look at.
        if self._model is not None:
            self.session.look(self._model, trainer.global_step, optimizer=_optimizer(trainer))
        # The validation itself is no training.
        self.monitor.pause()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the whole panel a last time."""
        self.session.end(self._model, trainer.global_step, optimizer=_optimizer(trainer))

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Let go of the model, as after a run that ends well."""
        self.teardown(trainer, pl_module, "fit")

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let go of the model."""
        self.session.close()
        if self._undo is not None:
            self._undo()
        self._model, self._trainer = None, None

    def _log(self, record: dict[str, float], step: int) -> None:
        for each in self._trainer.loggers:
            each.log_metrics(record, step=step)

    def _save(self, step: int) -> None:
        # A dry run leaves no files.
        if self._trainer.fast_dev_run:
            return
        folder = getattr(self._trainer.checkpoint_callback, "dirpath", None)
        folder = folder or os.path.join(self._trainer.default_root_dir, "checkpoints")
        path = os.path.join(folder, f"{self.name}-alert-{step}.ckpt")
        save_on_all(self._trainer, path)
        logger.warning("saved %s because of an alert.", path)

    def _stop(self) -> None:
        self._trainer.should_stop = True

    def _offer(self) -> None:
        """Put values where EarlyStopping, ModelCheckpoint and schedulers look for them."""
        # Not by `pl_module.log`, which some hooks forbid, which repeats a value at later steps, and
        # which averages over an epoch what has been read at one step.
        values = offered(self.session, self._trainer)
        self._trainer.callback_metrics.update(
            {key: torch.tensor(value) for key, value in values.items()}
        )


def _optimizer(trainer: Trainer) -> object | None:
    return next(filter(is_schedule_free, trainer.optimizers), None)
