"""Lightning's callback: a translation between its Trainer and the monitor."""

import logging
import math
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from collapse_guard.alerts.rules import Alert
from collapse_guard.alerts.sinks import AlertSink, log_alert
from collapse_guard.callbacks.actions import Decision, OnAlert, check_on_alert, decide
from collapse_guard.callbacks.arguments import check_monitor, check_name, do_nothing
from collapse_guard.callbacks.lightning.model import (
    AsInTraining,
    ByFunction,
    Forward,
    ModelGetter,
    obvious_model,
    refuse_part_of_sharded,
    watch_passes,
)
from collapse_guard.callbacks.records import record_keys, record_of
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.failures import FailureGuard, OnError
from collapse_guard.mixing.guard import MixGuard
from collapse_guard.model.schedule_free import is_schedule_free
from collapse_guard.monitor.monitor import CollapseMonitor
from collapse_guard.readings.reading import Reading

require("lightning", "lightning")

from lightning.pytorch import Callback, LightningModule, Trainer  # noqa: E402
from lightning.pytorch.utilities import CombinedLoader  # noqa: E402

logger = logging.getLogger("collapse_guard")


class CollapseGuard(Callback):
    """Takes readings while a Lightning `Trainer` fits, logs them, and raises alerts.

    After every optimizer step the monitor looks at what its pace allows. Before the first step, at
    each validation and after the last step it looks at the whole panel. Looks at the whole panel
    are logged when they are taken; smaller ones every `log_every_n_steps` of the Trainer, and when
    they raise an alert. Each goes to every logger at the `global_step` it was taken at (Lightning
    names its own records by the step before). Logged keys, for `name="collapse"`:

    | key | what it is |
    | --- | --- |
    | `collapse/<reading>` | each reading in `monitor.reading_names`; small looks have a part |
    | `collapse/<reading>_se` | standard error of tail_retention, head_retention, tail_gap |
    | `collapse/alerts` | number of alerts so far |
    | `collapse/overhead` | share of the training time that looks have taken so far |

    The latest value of each is in `trainer.callback_metrics` from the first step on, so that
    `EarlyStopping(monitor="collapse/tail_retention", mode="max")` and `ModelCheckpoint` work,
    wherever they stand among the callbacks.

    Training goes on exactly as without the callback: same weights, random states and data. What
    fails inside it is reported to the logger `collapse_guard`, once for each kind of failure, and
    training goes on. A resumed run goes on with the start, the alarms and the pace of the run that
    it resumes. With a schedule-free optimizer the averaged weights are looked at. A loader that
    reads a `MixGuard` is held to its order before the first batch, and the monitor's prequential
    reader, where it has one, reads along.

    In a distributed run all processes share the work and take the same decisions. Where parameters
    are sharded, the model has to be the root of `fully_shard`; `FSDPStrategy` is refused.

    Args:
        monitor: The monitor to ask. One that has been started keeps its start (a chain of runs is
            measured against its first model this way); any other starts when training does.
        model: Gets the causal language model out of the LightningModule. Where left out, that is
            the only attribute with parameters, or the only transformers model among several.
        forward: In place of `model`: a function of the LightningModule and of token ids, int64 of
            shape (rows, tokens), that returns logits of shape (rows, tokens, vocabulary).
        sink: Called with each alert, on the main process.
        on_alert: What else an alert does, unless it is an "info": `"log"` nothing, `"save"` writes
            a checkpoint beside the run's others, `"stop"` ends the training (Lightning validates
            once more, and keeps to `min_steps` and `min_epochs`), `"save_and_stop"` both. Or a
            function that is called with each such alert on every process, and returns one of these
            words or None.
        on_error: `"report"` logs what fails inside the callback, `"raise"` raises it.
        name: The part of the logged keys, and of the saved state, that tells two callbacks apart.

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
        sink: AlertSink = log_alert,
        on_alert: OnAlert = "log",
        on_error: OnError = "report",
        name: str = "collapse",
    ) -> None:
        if model is not None and forward is not None:
            raise bad_argument(
                "forward",
                expected="None where `model` is given",
                given=forward,
                hint="give the one that calls the language model",
            )
        self.monitor = check_monitor(monitor)
        self.sink = sink
        self.on_alert = check_on_alert(on_alert)
        self.name = check_name(name)
        self._get_model = model
        self._forward = forward
        self._failures = FailureGuard(on_error)
        self._model: AsInTraining | None = None
        self._stop_watching: Callable[[], None] = do_nothing
        self._fits = True
        self._resumed = False
        self._latest: dict[str, float] = {}
        self._unlogged: list[Any] | None = None
        self._step = 0
        self._full_step = -1

    @property
    def state_key(self) -> str:
        """The name that the state is saved under."""
        return self._generate_state_key(name=self.name)

    def state_dict(self) -> dict[str, Any]:
        """The monitor's state and the latest values, in plain Python types."""
        if not self.monitor.started:
            return {}
        return {
            "monitor": self.monitor.state_dict(),
            "latest": dict(self._latest),
            "unlogged": self._unlogged,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        if not self._fits:
            # `trainer.test(ckpt_path="best")` restores callbacks too: the run stays where it is.
            return
        with self._failures.contained("resuming the monitor"):
            self.monitor.load_state_dict(state_dict["monitor"])
            self._latest, self._unlogged = dict(state_dict["latest"]), state_dict["unlogged"]
            self._resumed = True

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
        if self._forward is not None:
            model: torch.nn.Module = ByFunction(pl_module, self._forward)
        else:
            model = (self._get_model or obvious_model)(pl_module)
        if not isinstance(model, torch.nn.Module):
            raise bad_argument(
                "model",
                expected="a function that returns a torch.nn.Module",
                given=model,
                hint="give model=lambda pl_module: pl_module.net, or forward=",
            )
        refuse_part_of_sharded(model, pl_module, trainer)
        self._model = AsInTraining(model, trainer)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the start, or take it up from the checkpoint that is resumed.

        Raises:
            MixOrderError: A loader would read its `MixGuard` out of order.
        """
        for loader in CombinedLoader(trainer.train_dataloader).flattened:
            if isinstance(mix := getattr(loader, "dataset", None), MixGuard):
                mix.check_loader(loader)
        self._step, self._full_step = trainer.global_step, -1
        if self.monitor.prequential is not None and self._model is not None:
            with self._failures.contained("reading human rows off the training"):
                self._stop_watching = watch_passes(
                    self.monitor.prequential, self._model.model, trainer
                )
        if self._resumed:
            self._resumed = False
            self._offer(trainer, self._latest)
            return
        self._unlogged = None
        # An EarlyStopping whose metric is missing ends the run with an error; one that is not a
        # number is missing for a reason that was reported.
        self._latest = {self._key(key): math.nan for key in record_keys(self.monitor)}
        self._offer(trainer, self._latest)
        if self.monitor.started:
            self.monitor.pause()
            self._look(self.monitor.look, trainer)
            return
        if trainer.global_step:
            logger.warning(
                "the checkpoint holds no usable state of this callback: the readings compare with "
                "the model at step %d, where it joined.",
                trainer.global_step,
            )
        self._look(self.monitor.start, trainer)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Look at what the pace allows, where the batch has ended an optimizer step."""
        step, before = trainer.global_step, self._step
        # A batch whose gradients are accumulated is no step.
        if step == before or not self.monitor.started:
            return
        self._step = step
        self._look(self.monitor.observe, trainer)
        every = _settings(trainer).log_every_n_steps
        if every and step // every > before // every:
            self._log_unlogged(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the whole panel, before anyone asks what the validation has shown."""
        if not trainer.sanity_checking:
            self._look_at_all(trainer)
            # The validation itself is no training.
            self.monitor.pause()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the whole panel a last time."""
        self._look_at_all(trainer)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Let go of the model, as after a run that ends well."""
        self._let_go()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let go of the model."""
        self._let_go()

    def _let_go(self) -> None:
        self._stop_watching()
        self._model, self._stop_watching = None, do_nothing

    def _look_at_all(self, trainer: Trainer) -> None:
        if self.monitor.started and self._full_step != trainer.global_step:
            self._look(self.monitor.look, trainer)

    def _look(self, look: Callable[..., Reading], trainer: Trainer) -> None:
        model = self._model
        # A validation of its own, outside of `fit`, has none.
        if model is None:
            return
        step, told = trainer.global_step, len(self.monitor.alerts)
        reading: Reading | None = None
        optimizer = next(filter(is_schedule_free, trainer.optimizers), None)
        if optimizer is not None:
            look = partial(look, optimizer=optimizer)
        with self._failures.contained("taking a reading"):
            reading = look(model, step)
        if reading is not None and not reading:
            return
        alerts = self.monitor.alerts[told:]
        if reading:
            with self._failures.contained("logging a reading"):
                self._publish(reading, trainer, at_once=reading.is_full or bool(alerts))
        if trainer.is_global_zero:
            for alert in alerts:
                with self._failures.contained("passing on an alert"):
                    self.sink(alert)
        # On every process, whatever went wrong above: a missing one would hold up the rest.
        self._act(alerts, trainer)

    def _publish(self, reading: Reading, trainer: Trainer, *, at_once: bool) -> None:
        if reading.is_full:
            self._full_step = reading.step
        values = {self._key(key): value for key, value in record_of(reading, self.monitor).items()}
        self._latest.update(values)
        self._offer(trainer, values)
        self._unlogged = [reading.step, values]
        if at_once:
            self._log_unlogged(trainer)

    def _offer(self, trainer: Trainer, values: Mapping[str, float]) -> None:
        """Put values where EarlyStopping, ModelCheckpoint and schedulers look for them."""
        # Not by `pl_module.log`, which some hooks forbid, which repeats a value at later steps, and
        # which averages over an epoch what has been read at one step.
        trainer.callback_metrics.update({key: torch.tensor(each) for key, each in values.items()})

    def _log_unlogged(self, trainer: Trainer) -> None:
        if self._unlogged is None:
            return
        step, values = self._unlogged
        self._unlogged = None
        for each in trainer.loggers:
            each.log_metrics(values, step=step)

    def _act(self, alerts: list[Alert], trainer: Trainer) -> None:
        decision = Decision(save=False, stop=False)
        with self._failures.contained("acting on an alert"):
            decision = decide(self.on_alert, alerts)
        step = trainer.global_step
        # A dry run leaves no files.
        if decision.save and not _settings(trainer).fast_dev_run:
            with self._failures.contained("saving a checkpoint on an alert"):
                path = os.path.join(_checkpoint_folder(trainer), f"{self.name}-alert-{step}.ckpt")
                trainer.save_checkpoint(path)
                logger.warning("saved %s because of an alert.", path)
        if decision.stop:
            logger.warning("training stops at step %d because of an alert.", step)
            trainer.should_stop = True

    def _key(self, key: str) -> str:
        return f"{self.name}/{key}"


def _settings(trainer: Trainer) -> Any:
    """The trainer, for what its connectors set on it, of which its class knows nothing."""
    return trainer


def _checkpoint_folder(trainer: Trainer) -> str:
    folder = getattr(trainer.checkpoint_callback, "dirpath", None)
    return str(folder or os.path.join(trainer.default_root_dir, "checkpoints"))
