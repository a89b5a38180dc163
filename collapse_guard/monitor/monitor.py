"""The monitor that any training loop can call."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from collapse_guard.alerts.alarms import Alarms
from collapse_guard.alerts.rules import Alert, Threshold, default_rules
from collapse_guard.distributed import num_processes
from collapse_guard.errors import CollapseGuardError, bad_argument
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.model.forward import device_of
from collapse_guard.model.schedule_free import averaged_weights
from collapse_guard.monitor.look import Look
from collapse_guard.monitor.pace import Budget, Pace
from collapse_guard.monitor.probe import Looker
from collapse_guard.monitor.rotation import Rotation
from collapse_guard.monitor.stopwatch import Stopwatch
from collapse_guard.readings.baseline import Baseline
from collapse_guard.readings.panel_sums import PanelScores
from collapse_guard.readings.prequential import PrequentialReader
from collapse_guard.readings.reading import (
    BASE_READINGS,
    PREQUENTIAL_READINGS,
    READINGS,
    Reading,
)
from collapse_guard.readings.sampled import SAMPLED_READINGS
from collapse_guard.readings.sampling import Sampling
from collapse_guard.readings.teacher_forced import make_band_reading, make_reading, take_baseline
from collapse_guard.statistics.estimates import Estimate


class CollapseMonitor:
    """Looks at a model on held-out human text, step by step, and raises alerts.

    It knows no trainer: call `start` with the model that the run starts from and `observe` after
    every step. It never trains, and never changes the model or a random state.

    How much is looked at after which step follows from the pace. With `Budget(0.01)` it is a share
    of the training time: the monitor times the run's steps and its own looks, looks at a few
    windows of the panel as often as half of the budget allows, going round the panel (`Rotation`),
    and at all of it as often as the other half allows. Looks that are asked for (`start`, `look`)
    come on top. The share that was really spent, those included, is `overhead_spent`.

    In a distributed run every process calls the monitor, at the same steps. The windows are shared
    out among the processes, and all get the same readings and the same alerts.

    Args:
        panel: The held-out human text.
        rules: What to raise alerts on; `default_rules` where left out, none where empty.
        pace: How much `observe` looks at after which step: `Budget(0.01)` spends a hundredth of the
            training time, `EveryNSteps(50)` looks at the whole panel every 50 steps and at nothing
            in between.
        batch_size: Windows per forward pass, at least 1. Lower it when memory is short.
        sampling: How much the model writes at each look at the whole panel, for the readings of
            `SAMPLED_READINGS`; None for readings on human text alone.
        baseline: The start of another monitor of the same panel and sampling, to go on from
            instead of calling `start`: a chain of fine-tunings is measured against its first model
            this way.
        against_base: Whether to compare with the model without its adapters (PEFT) too, for the
            readings of `BASE_READINGS`: they need no start, so that they can be had of a run that
            began long ago.
        prequential: A reader of the human rows that the model is about to train on, whose readings
            are told beside the panel's; the trainer's callback, or `PrequentialReader.watch` in a
            loop of your own, shows it the training passes.
        across_processes: Whether the processes of a distributed run share the work. False lets
            each look at the whole panel by itself: where some of them hold parts of one model and
            must see the same input (tensor or pipeline parallelism).

    Raises:
        ArgumentError: At construction, for an argument that cannot work.

    Example:
        A loop of your own needs two lines::

            monitor = CollapseMonitor(panel)
            monitor.start(model)
            for step, batch in enumerate(loader, start=1):
                train_on(batch)
                if reading := monitor.observe(model, step):
                    print(step, reading["tail_retention"], monitor.alerts)
    """

    def __init__(
        self,
        panel: HeldOutPanel,
        *,
        rules: Sequence[Threshold] | None = None,
        pace: Pace = Budget(0.01),
        batch_size: int = 16,
        sampling: Sampling | None = None,
        baseline: Baseline | None = None,
        against_base: bool = False,
        prequential: PrequentialReader | None = None,
        across_processes: bool = True,
    ) -> None:
        _check_kinds(panel, pace, rules, sampling, prequential, baseline)
        self.panel = panel
        self.sampling = sampling
        self.prequential = prequential
        self._looker = Looker(panel, batch_size, sampling, across_processes)
        self._against_base = against_base
        most = batch_size * (num_processes() if across_processes else 1)
        self._schedule = pace.schedule(num_windows=len(panel), most=most)
        if rules is None:
            rules = default_rules(sampling=sampling is not None)
        self._alarms = Alarms(rules, self.reading_names)
        _check_baseline(baseline, self.reading_names)
        self._baseline = baseline
        self._base: Baseline | None = None
        self._rotation = Rotation(panel)
        self._stopwatch = Stopwatch()
        self._history: list[Look] = []

    @property
    def started(self) -> bool:
        """Whether there is a start to compare with."""
        return self._baseline is not None

    @property
    def baseline(self) -> Baseline | None:
        """The run's start; None before it."""
        return self._baseline

    @property
    def rules(self) -> tuple[Threshold, ...]:
        """What alerts are raised on."""
        return self._alarms.rules

    @property
    def alerts(self) -> list[Alert]:
        """Every alert so far."""
        return self._alarms.alerts

    @property
    def history(self) -> list[Look]:
        """Every look at the whole panel since this monitor was made, or its run started."""
        return self._history

    @property
    def overhead_spent(self) -> float:
        """Seconds of all looks so far over seconds of training; NaN before any training.

        Training is what goes on between two calls of `observe`, after `start`.
        """
        return self._stopwatch.overhead

    @property
    def reading_names(self) -> tuple[str, ...]:
        """Names of the readings that each look at the whole panel takes."""
        return (
            *READINGS,
            *(BASE_READINGS if self._against_base else ()),
            *(PREQUENTIAL_READINGS if self.prequential else ()),
            *(SAMPLED_READINGS if self.sampling else ()),
        )

    def start(
        self,
        model: torch.nn.Module,
        step: int = 0,
        *,
        optimizer: torch.optim.Optimizer | None = None,
    ) -> Look:
        """Take the run's own baseline, and forget any earlier run.

        Args:
            model: The causal language model that the run starts from.
            step: The training step to name it by.
            optimizer: As in `observe`.

        Raises:
            TokenizerMismatchError: The model's vocabulary is smaller than the panel's.
            ScoringError: The model's output cannot be read.
        """
        self._alarms.clear()
        self._history = []
        if self.prequential is not None:
            self.prequential.clear()
        self._stopwatch.restart()
        with self._stopwatch.looking(device_of(model)), averaged_weights(optimizer):
            self._base = None
            scores, sampled = self._look_at_all(model, step)
            self._baseline = take_baseline(self.panel, scores, sampled)
            reading = self._take_in(scores, sampled, self._baseline, step)
        self._stopwatch.leave()
        return self._kept(Look.at(reading))

    def observe(
        self, model: torch.nn.Module, step: int, *, optimizer: torch.optim.Optimizer | None = None
    ) -> Look:
        """Look at as much as the pace allows, and put alerts for broken rules into `alerts`.

        Call it after every step; where it has nothing to do it takes microseconds.

        Args:
            model: The causal language model as it is now.
            step: The training step after which this is.
            optimizer: Give a schedule-free one to have the averaged weights looked at, which are
                what it trains (see `averaged_weights`); no other makes a difference.

        Returns:
            The readings of this look, empty (and so false) where there was none.

        Raises:
            CollapseGuardError: There is no start yet.
            ScoringError: The model's output cannot be read, or is not finite.
        """
        baseline = self._start_or_error()
        windows = self._schedule.due(step, self._stopwatch.arrive())
        try:
            if windows == 0:
                return Look(step, {}, {}, is_full=False)
            return self._paced_look(model, step, windows, baseline, optimizer)
        finally:
            self._stopwatch.leave()

    def look(
        self, model: torch.nn.Module, step: int, *, optimizer: torch.optim.Optimizer | None = None
    ) -> Look:
        """Look at the whole panel now, whatever the pace, and check the rules.

        Args:
            model: As in `observe`.
            step: As in `observe`.
            optimizer: As in `observe`.

        Raises:
            CollapseGuardError: As in `observe`.
            ScoringError: As in `observe`.
        """
        baseline = self._start_or_error()
        self._schedule.due(step, self._stopwatch.arrive())
        try:
            with self._stopwatch.looking(device_of(model)), averaged_weights(optimizer):
                return self._full_look(model, step, baseline)
        finally:
            self._stopwatch.leave()

    def pause(self) -> None:
        """Say that what goes on from now to the next call is no training."""
        self._stopwatch.pause()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, in plain JSON types: start, pace, rules, and alerts so far."""
        return {
            "baseline": None if self._baseline is None else self._baseline.to_dict(),
            "base": None if self._base is None else self._base.to_dict(),
            "alarms": self._alarms.state_dict(),
            "rotation": self._rotation.state_dict(),
            "prequential": None if self.prequential is None else self.prequential.state_dict(),
            **self.timing_state(),
        }

    def timing_state(self) -> dict[str, Any]:
        """The part of `state_dict` that changes where nobody looks, too: it takes microseconds."""
        return {"pace": self._schedule.state_dict(), "stopwatch": self._stopwatch.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`.

        Rules that the state does not know start afresh, and so does another pace.

        Raises:
            ArgumentError: The state is of a monitor with another panel, or other readings.
        """
        baseline = None if state["baseline"] is None else Baseline.from_dict(state["baseline"])
        if baseline is not None and baseline.panel != self.panel.fingerprint:
            raise bad_argument(
                "state",
                expected=f"one of a monitor of this panel ({self.panel.fingerprint})",
                given=f"one of panel {baseline.panel}",
                hint="resume with the same held-out documents, reference and window",
            )
        _check_baseline(baseline, self.reading_names)
        self._baseline = baseline
        self._base = None if state["base"] is None else Baseline.from_dict(state["base"])
        self._alarms.load_state_dict(state["alarms"])
        self._rotation.load_state_dict(state["rotation"])
        self._schedule.load_state_dict(state["pace"])
        self._stopwatch.load_state_dict(state["stopwatch"])
        if self.prequential is not None and state["prequential"] is not None:
            self.prequential.load_state_dict(state["prequential"])

    def _start_or_error(self) -> Baseline:
        if self._baseline is None:
            raise CollapseGuardError(
                "the monitor has no start to compare with: call start(model) before the first "
                "training step, or give `baseline=` at construction."
            )
        return self._baseline

    def _paced_look(
        self,
        model: torch.nn.Module,
        step: int,
        windows: int,
        baseline: Baseline,
        optimizer: torch.optim.Optimizer | None,
    ) -> Look:
        if not self._rotation.is_complete:
            windows = len(self.panel)
        seconds: list[float] = []
        try:
            with (
                self._stopwatch.looking(device_of(model)) as seconds,
                averaged_weights(optimizer),
            ):
                if windows == len(self.panel):
                    return self._full_look(model, step, baseline)
                return self._small_look(model, step, windows, baseline)
        finally:
            # A look that failed has cost its time too.
            self._schedule.looked(step, windows, sum(seconds))

    def _small_look(
        self, model: torch.nn.Module, step: int, windows: int, baseline: Baseline
    ) -> Look:
        turn = self._rotation.next(windows)
        self._rotation.update(turn, self._looker.look_at(model, turn))
        reading = make_band_reading(
            self.panel,
            self._rotation.whole,
            self._rotation.latest,
            self._rotation.freshness,
            baseline,
            step=step,
            base=self._base,
            beside=self._prequential_estimates(),
        )
        return Look.at(reading, self._alarms.check(reading, baseline.readings))

    def _full_look(self, model: torch.nn.Module, step: int, baseline: Baseline) -> Look:
        reading = self._take_in(*self._look_at_all(model, step), baseline, step)
        return self._kept(Look.at(reading, self._alarms.check(reading, baseline.readings)))

    def _kept(self, look: Look) -> Look:
        # Without what each document contributes: of thousands of looks that would be gigabytes.
        self._history.append(replace(look, influences={}))
        return look

    def _take_in(
        self,
        scores: PanelScores,
        sampled: Mapping[str, Estimate],
        baseline: Baseline,
        step: int,
    ) -> Reading:
        self._rotation.update_all(scores)
        beside = {**self._prequential_estimates(), **sampled}
        return make_reading(self.panel, scores, baseline, beside, step=step, base=self._base)

    def _look_at_all(
        self, model: torch.nn.Module, step: int
    ) -> tuple[PanelScores, Mapping[str, Estimate]]:
        if self._against_base and self._base is None:
            self._base = self._looker.look_without_adapters(model)
        began = time.perf_counter()
        scores, sampled = self._looker.look_at_all(model), self._looker.let_write(model)
        full = time.perf_counter() - began
        self._schedule.calibrate(step, full, partial(self._timed, model))
        return scores, sampled

    def _prequential_estimates(self) -> Mapping[str, Estimate]:
        return {} if self.prequential is None else self.prequential.estimates()

    def _timed(self, model: torch.nn.Module, windows: int) -> float:
        began = time.perf_counter()
        self._looker.look_at(model, self._rotation.next(windows))
        return time.perf_counter() - began


def _check_kinds(
    panel: object,
    pace: object,
    rules: object,
    sampling: object,
    prequential: object,
    baseline: object,
) -> None:
    """Refuse what would fail at the first look, when a callback could only report it."""
    is_rules = isinstance(rules, Sequence) and all(isinstance(rule, Threshold) for rule in rules)
    for name, given, fits, expected, hint in (
        ("panel", panel, isinstance(panel, HeldOutPanel), "a HeldOutPanel", "from_texts makes one"),
        (
            "pace",
            pace,
            isinstance(pace, Pace) and not isinstance(pace, type),
            "a pace",
            "give Budget(0.01) for a hundredth of the training time, or EveryNSteps(50)",
        ),
        ("rules", rules, rules is None or is_rules, "a list of Threshold", "leave it out, or []"),
        (
            "sampling",
            sampling,
            sampling is None or isinstance(sampling, Sampling),
            "a Sampling, or None",
            "give sampling=Sampling()",
        ),
        (
            "prequential",
            prequential,
            prequential is None or isinstance(prequential, PrequentialReader),
            "a PrequentialReader, or None",
            "give PrequentialReader(mix, reference)",
        ),
        (
            "baseline",
            baseline,
            baseline is None or isinstance(baseline, Baseline),
            "a Baseline, or None",
            "give the `baseline` of a monitor that has started",
        ),
    ):
        if not fits:
            raise bad_argument(name, expected=expected, given=given, hint=hint)


def _check_baseline(baseline: Baseline | None, reading_names: Sequence[str]) -> None:
    startless = {**BASE_READINGS, **PREQUENTIAL_READINGS}
    names = [name for name in reading_names if name not in startless]
    missing = [] if baseline is None else [n for n in names if n not in baseline.readings]
    if missing:
        raise bad_argument(
            "baseline",
            expected="the start of a monitor that takes the same readings",
            given=f"one without {', '.join(missing)}",
            hint="give both monitors the same sampling=",
        )
