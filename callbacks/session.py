"""What watching a run comes to, in every framework and in none: look, log, tell, act, resume."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch

from collapse_guard.alerts.sinks import AlertSink, in_time, log_alert
from collapse_guard.callbacks.actions import Actions, Decision, OnAlert, Save
from collapse_guard.callbacks.arguments import (
    check_every,
    check_monitor,
    check_name,
    check_others,
    check_seconds,
    check_step,
)
from collapse_guard.callbacks.settings import settings_of
from collapse_guard.callbacks.starts import Starts, state_with_start
from collapse_guard.callbacks.values import LoggedValues
from collapse_guard.callbacks.watching import Watching
from collapse_guard.distributed import is_first_process
from collapse_guard.failures import FailureGuard, OnError, Telling
from collapse_guard.model.schedule_free import is_schedule_free
from collapse_guard.monitor.look import Look
from collapse_guard.monitor.monitor import CollapseMonitor
from collapse_guard.readings.prequential import PrequentialReader
from collapse_guard.statistics.json_forms import Part

Log = Callable[[dict[str, float], int], object]
"""Takes a record, as `record_of` makes it, and the step that it is of."""

Watch = Callable[[PrequentialReader], Callable[[], None]]
"""Lets a reader read along with the training passes, and returns what ends that."""


class WatchSession:
    """Watches one training run: asks a monitor, logs what it reads, and acts on its alerts.

    A loop of your own calls `start` before its first step, `step` after every optimizer step, and
    `end` after the last; each framework's callback makes the same calls. In a distributed run every
    process makes them, and all take the same decisions. What fails on one is given up on all, and
    the log of each says why. Where one does not come within `agree_within` seconds, or has died,
    nobody looks any more in this run, which goes on (`collapse_guard.callbacks.peers`).

    The monitor looks at the whole panel at the start, at the end and when `look` is called, and in
    between at as much as its pace allows. What is logged is logged when the look is taken, at its
    own step, so that a tracker's steps never go back: each look at the whole panel, each that
    raises an alert, and of smaller ones the first in every `log_every_n_steps` steps. What is
    logged, under which keys, says `collapse_guard.callbacks.records`. What a look could not compute
    is missing there, and everywhere, and never NaN.

    Each call of `start` begins a run with a start, alerts, pace and history of its own, also where
    it goes on training the model of the run before, which is told in the log. Two things are kept
    from before: the state of a run that is resumed (`load_state_dict`), and a start that the user
    gave the monitor (`baseline=`, or `CollapseMonitor.start` called by hand), with which every run
    is compared.

    What fails in here is reported to the logger `collapse_guard`, once for each kind of failure,
    and training goes on, exactly as without the session: same weights, random states and data.

    Where it is the start that fails the run is not watched, as there is nothing to compare with.
    The log says so at once, with the reason, and `<name>/watched` is 0 in what is logged, in
    `values` and in `metrics`. The start is tried again where `look` is called and after 10, 20, 40
    more steps and so on, unless what failed never passes (`collapse_guard.callbacks.watching`).

    What an alert that is more than "info" does beyond the sink, on all processes alike:

    | on_alert | what happens |
    | --- | --- |
    | `"log"` | nothing |
    | `"save"` | `save` is called; training goes on |
    | `"stop"` | `should_stop` is true from now on, and `stop` is called |
    | `"save_and_stop"` | both |
    | a function | called with the alert on every process; may return one of the words above |

    Args:
        monitor: The monitor to ask. One that was given a start, or was started by
            hand or under another callback, keeps it (a chain of runs is measured against its first
            model this way); any other starts when the session does.
        on_alert: What an alert makes the run do: see above.
        sink: Called with each alert, on the first process, in a thread of its own; one that takes
            longer than half a minute is given up.
        on_error: `"report"` logs what fails in here, `"raise"` raises it. Or a guard of your own,
            which other parts of the loop may share.
        name: The part of the logged keys that tells two sessions apart.
        log: Called with a record and its step, on every process, such as `accelerator.log`.
        save: Called with the step at which an alert asks for a checkpoint, on every process.
        log_every_n_steps: How often small looks are logged: 1 for each of them, None for one after
            each call of `log_next`.
        prefix: What logged keys begin with, before the name.
        stop: Called when an alert stops the run, on every process.
        on_change: Called whenever `values` or `state_dict` have changed.
        agree_within: Seconds that the processes of a distributed run wait for each other at a look.

    Attributes:
        monitor: As given.
        name: As given.
        log_every_n_steps: As given; may be set between two steps.
        values: What the run's looks have read, by logged key, and what they could not.
        should_stop: Whether an alert has asked that training stop.
        at_end: Functions of this session that are called, on every process, when a run has ended.

    Raises:
        ArgumentError: At construction, for an argument that cannot work.

    Example:
        ::

            session = WatchSession(CollapseMonitor(panel), on_alert="stop", log=accelerator.log)
            session.start(model)
            for step, batch in enumerate(loader, start=1):
                train_on(batch)
                if session.step(model, step):
                    break
            session.end(model, step)
    """

    def __init__(
        self,
        monitor: CollapseMonitor,
        *,
        on_alert: OnAlert = "log",
        sink: AlertSink = log_alert,
        on_error: OnError | FailureGuard = "report",
        name: str = "collapse",
        log: Log | None = None,
        save: Save | None = None,
        log_every_n_steps: int | None = 1,
        prefix: str = "",
        stop: Callable[[], object] | None = None,
        on_change: Callable[[], object] | None = None,
        agree_within: float = 120.0,
    ) -> None:
        self.monitor, self.name = check_monitor(monitor), check_name(name)
        self.log_every_n_steps = check_every(log_every_n_steps)
        check_others(prefix, sink=sink, log=log, save=save, stop=stop, on_change=on_change)
        self.should_stop = False
        self.at_end: list[Callable[[WatchSession], object]] = []
        self._sink = in_time(sink)
        self._failures = on_error if isinstance(on_error, FailureGuard) else FailureGuard(on_error)
        self._actions = Actions(on_alert, save, stop, self._failures)
        self._watching = Watching(monitor, name, check_seconds(agree_within))
        self._starts, self.values = Starts(monitor), LoggedValues(monitor, f"{prefix}{name}/")
        self._log, self._on_change = log, on_change or (lambda: None)
        self._logs_next, self._step = True, 0
        self._has_begun, self._is_resumed = False, False
        self._stop_reading: Callable[[], None] | None = None

    @property
    def latest(self) -> Mapping[str, float]:
        """The last value that could be had of each logged key; a key without one is absent."""
        return self.values.latest

    def start(
        self, model: torch.nn.Module, step: int = 0, *, optimizer: object | None = None
    ) -> None:
        """Take the run's start, or take it up from the state that was loaded.

        Args:
            model: The causal language model that is trained, as it is before the first step.
            step: Optimizer steps so far: more than 0 in a run that is resumed.
            optimizer: Where it is a schedule-free one, the averaged weights are looked at, which
                are what it trains; no other makes a difference.
        """
        given = self._starts.given
        # Under another session, for instance.
        is_used = given is not None and len(self.monitor.history) > 1
        is_another = is_used or (self._has_begun and self._step > 0)
        had_begun, self._has_begun = self._has_begun, True
        self._step, self.should_stop = (step := check_step(step)), False
        self._watching.begin(step)
        if is_another:
            self._failures.forget()
        settings = {**settings_of(self.monitor, given, step), "on_alert": self._actions.setting}
        resumes, self._is_resumed = self._is_resumed, False
        failed = partial(self._watching.failed, step=step)
        with self.contained("meeting the other processes", telling=failed):
            resumes = self._watching.meet(settings, resumes)
        if resumes and not self._watching.is_off:
            self._tell_change()
            return
        self.values.clear()
        self._logs_next = True
        if self._watching.is_off:
            self._miss(step)
            return
        if is_another:
            self._starts.tell_another(step)
        if given is not None:
            if had_begun or is_used:
                with self.contained("beginning a run"):
                    self.monitor.begin(given)
            self.monitor.pause()
            self._ask(self.monitor.look, model, step, optimizer)
            return
        if step and not is_another:
            self._starts.tell_late(step)
        self._take_start(model, step, optimizer)

    def step(self, model: torch.nn.Module, step: int, *, optimizer: object | None = None) -> bool:
        """Look at what the pace allows after an optimizer step; a step told twice is one.

        Args:
            model: The model as it is now.
            step: Optimizer steps so far, the first being 1.
            optimizer: As in `start`.

        Returns:
            Whether training should stop.
        """
        before, self._step = self._step, (step := check_step(step))
        if step == before:
            return self.should_stop
        if self._watching.is_watched:
            every = self.log_every_n_steps
            if every and step // every > before // every:
                self.log_next()
            self._ask(self.monitor.observe, model, step, optimizer)
        elif self._watching.is_due(step):
            self._take_start(model, step, optimizer)
        return self.should_stop

    def look(self, model: torch.nn.Module, step: int, *, optimizer: object | None = None) -> bool:
        """Look at the whole panel, unless that was done at this step, as before an evaluation.

        Args:
            model: As in `step`.
            step: As in `step`.
            optimizer: As in `start`.

        Returns:
            Whether training should stop.
        """
        if self._watching.is_off or self.values.has_full(step):
            return self.should_stop
        if self._watching.lacks_start:
            self._take_start(model, step, optimizer)
        elif self.monitor.started:
            self._ask(self.monitor.look, model, step, optimizer)
        return self.should_stop

    def end(
        self, model: torch.nn.Module | None, step: int, *, optimizer: object | None = None
    ) -> None:
        """Look at the whole panel a last time, and let go of the run.

        Where rules have waited to the end for a model that knows language, the log tells it.

        Args:
            model: As in `step`. None where its weights are no longer those of this step, such as
                when the best ones were loaded: then there is no last look, and none is remembered.
            step: As in `step`.
            optimizer: As in `start`.
        """
        if model is None:
            self.values.forget_full()
        elif self._watching.is_watched:
            # A start that is taken here would be compared with nothing.
            self.look(model, step, optimizer=optimizer)
        with self.contained("telling how the run went"):
            self._starts.tell_end()
            for tell in self.at_end:
                tell(self)
        self.monitor.pause()
        self.close()

    def close(self) -> None:
        """Let go of a run that is broken off: nobody reads along any more."""
        if self._stop_reading is not None:
            self._stop_reading()
            self._stop_reading = None

    def read_along(self, watch: Watch) -> None:
        """Let the monitor's prequential reader, if it has one, read along until the end.

        Args:
            watch: Starts that: a function of the reader, which calls `PrequentialReader.watch` with
                what it has to know of the run.
        """
        # A training that was broken off may have left it watching.
        self.close()
        if self.monitor.prequential is not None:
            with self.contained("reading human rows off the training"):
                self._stop_reading = watch(self.monitor.prequential)

    def log_next(self) -> None:
        """Have the next small look logged, when it is taken."""
        if not self._logs_next:
            self._logs_next = True
            self._tell_change()

    def metrics(self, step: int) -> dict[str, float]:
        """What the look at the whole panel read at this step, by logged key.

        A value that could not be had is missing.
        """
        return self.values.full(step)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, in plain JSON types; empty before there is a start."""
        if not self.monitor.started:
            return {}
        return {
            "monitor": self.monitor.state_dict(),
            **self.values.state_dict(),
            "logs_next": self._logs_next,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`: call it before `start`, which then keeps the start of old."""
        if not state:
            return
        with self.contained("resuming the monitor"):
            parts = Part("state", state).keys("monitor", "latest", optional=["full", "logs_next"])
            restore_values = self.values.restoring(parts)
            # The start is asked for now: another takes its place.
            _, logs_next = self._starts.given, parts.get("logs_next", Part("state", True)).flag()
            self.monitor.load_state_dict(state_with_start(parts["monitor"]))
            restore_values()
            self._starts.took()
            self._logs_next, self._is_resumed = logs_next, True

    def contained(
        self, task: str, *, telling: Telling | None = None
    ) -> AbstractContextManager[None]:
        """Run a block so that an error in it ends the block, not the training.

        Args:
            task: What the block does, as in "plotting the readings".
            telling: As `FailureGuard.contained` has it.
        """
        return self._failures.contained(task, telling=telling)

    def _take_start(self, model: torch.nn.Module, step: int, optimizer: object | None) -> None:
        self._ask(self.monitor.start, model, step, optimizer)
        self._starts.took()

    def _ask(
        self,
        ask: Callable[..., Look],
        model: torch.nn.Module,
        step: int,
        optimizer: object | None,
    ) -> None:
        """Let the monitor look, or see that it need not, and do all that follows from it."""
        if is_schedule_free(optimizer):
            ask = partial(ask, optimizer=optimizer)
        look: Look | None = None
        failed = partial(self._watching.failed, step=step)
        with self.contained("taking a reading", telling=failed), self._starts.followed():
            look = self._watching.agree(partial(ask, model, step))
            if not look:
                return
            self._watching.looked(step)
        if look is None:
            self._miss(step)
            return
        with self.contained("logging a reading"):
            self._take_in(look)
        self._tell_change()
        if is_first_process():
            for alert in look.alerts:
                with self.contained("passing on an alert"):
                    self._sink(alert)
        # Whatever went wrong above: a process that did not ask would hold up the others.
        decision = Decision(save=False, stop=False)
        with self.contained("acting on an alert", telling=failed):
            decision = self._watching.agree(partial(self._actions.decide, look.alerts))
        if not self._watching.is_watched:
            self._miss(step)
        if decision.save:
            self._actions.save(step)
        if decision.stop:
            self.should_stop = True
            self._actions.stop(step)

    def _miss(self, step: int) -> None:
        """Take note of a look that failed on all processes."""
        if self._watching.is_watched:
            self.values.lose()
        else:
            is_news, record = self.values.is_watched, self.values.unwatch()
            if self._log is not None and is_news:
                with self.contained("logging a reading"):
                    self._log(record, step)
        self._tell_change()

    def _take_in(self, look: Look) -> None:
        record = self.values.take_in(look)
        is_logged = look.is_full or bool(look.alerts) or self._logs_next
        self._logs_next &= look.is_full or not is_logged
        if is_logged and self._log is not None:
            self._log(record, look.step)

    def _tell_change(self) -> None:
        with self.contained("keeping a reading"):
            self._on_change()
