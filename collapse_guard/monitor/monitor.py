"""The monitor that any training loop can call."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch.optim import Optimizer

from collapse_guard.alerts.rules import Alert, Threshold
from collapse_guard.alerts.sight import Sight
from collapse_guard.arguments import checked
from collapse_guard.distributed import is_first_process
from collapse_guard.model.forward import device_of
from collapse_guard.model.inputs import A_MODEL
from collapse_guard.model.schedule_free import averaged_weights
from collapse_guard.monitor.build import make_run
from collapse_guard.monitor.look import A_STEP, Look
from collapse_guard.monitor.pace import Budget, Pace
from collapse_guard.monitor.probe import Probe
from collapse_guard.monitor.track import Track
from collapse_guard.monitor.writing import writing
from collapse_guard.readings.baseline import A_BASELINE, Baseline
from collapse_guard.readings.choice import Wanted
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.readings.panel import Panel, ScoresItself, check_panel
from collapse_guard.readings.panel_sums import BandSums, Floats, PanelScores, score_bands
from collapse_guard.readings.prequential import PrequentialReader
from collapse_guard.readings.reading import Reading
from collapse_guard.readings.sampling import A_LITTLE, Samples, Sampling
from collapse_guard.readings.take import take_readings


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
        panel: The held-out human text, or any other `collapse_guard.readings.panel.Panel`; one for
            a model that is no language model scores itself (`ScoresItself` there).
        readings: What is read: names of readings of the package
            (`collapse_guard.readings.registry.READINGS`), and a `ReadingKind` for each of your own;
            `...` stands for all of the package's that the other arguments allow.
        rules: What to raise alerts on; those of `default_rules` that are about what is read where
            left out, none where empty.
        pace: How much `observe` looks at after which step: `Budget(0.01)` spends a hundredth of the
            training time, `EveryNSteps(50)` looks at the whole panel every 50 steps and at nothing
            in between.
        batch_size: Windows per forward pass, at least 1. Lower it when memory is short.
        sampling: How much the model writes at each look at the whole panel, for readings of what
            it writes; a little where left out, as far as the model can (`writing_spent` says what
            that takes), and None for readings on human text alone.
        baseline: The start of another monitor of the same panel and sampling, to go on from
            instead of calling `start`: a chain of fine-tunings is measured against its first model
            this way. Its rules begin to spend their error budgets afresh.
        continues: The monitor of the model before in a chain of fine-tunings, or the state of one:
            its baseline is taken over, and what its rules have spent of their error budgets, so
            that a rule raises false alarms with a probability of at most its `alpha` over the whole
            chain. Alerts, pace and history are this run's own.
        control: The track of a control run (`save_track`), or its path: what each document was
            given there is what it is compared with at equal steps, for the readings that end in
            `_vs_control`, and for `control_rules` where no rules are given.
        against_base: Whether to compare with the model without its adapters (PEFT) too, for the
            readings that end in `_vs_base`: they need no start, so that they can be had of a run
            that began long ago.
        prequential: A reader of the human rows that the model is about to train on, whose readings
            are told beside the panel's; the trainer's callback, or `PrequentialReader.watch` in a
            loop of your own, shows it the training passes.
        rules_wait: Whether rules wait while the model is worse on the panel than the frequencies of
            its tokens, as one that is trained from scratch is at first: it must lose probability of
            rare tokens on its way. At the first look at the whole panel where it is better the
            start is taken anew. Models with a `baseline` do not wait.
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
        panel: Panel | ScoresItself,
        *,
        readings: Wanted = (...,),
        rules: Sequence[Threshold] | None = None,
        pace: Pace = Budget(0.01),
        batch_size: int = 16,
        sampling: Sampling | None = A_LITTLE,
        baseline: Baseline | None = None,
        continues: "CollapseMonitor | Mapping[str, Any] | None" = None,
        control: Track | str | os.PathLike[str] | None = None,
        against_base: bool = False,
        prequential: PrequentialReader | None = None,
        rules_wait: bool = True,
        across_processes: bool = True,
    ) -> None:
        self._probe = Probe(panel := check_panel(panel), batch_size, sampling, across_processes)
        self._against_base = against_base
        self._run = make_run(
            self._probe,
            readings,
            rules,
            pace,
            start=baseline,
            against_base=against_base,
            prequential=prequential,
            rules_wait=rules_wait,
            control=control,
            continues=continues,
        )
        self._score = partial(
            score_bands, panel=panel, batch_size=batch_size, across_processes=across_processes
        )
        self._cheap = tuple(kind for kind in self._run.kinds if kind.cost == "each look")

    @property
    def panel(self) -> Panel:
        """The held-out data."""
        return self._probe.panel

    @property
    def sampling(self) -> Sampling | None:
        """How much the model writes at each look at the whole panel."""
        return self._probe.sampling

    @property
    def prequential(self) -> PrequentialReader | None:
        """The reader of human rows that the model is about to train on."""
        return self._run.prequential

    @property
    def started(self) -> bool:
        """Whether there is a start to compare with."""
        return self._run.start is not None

    @property
    def rules_are_waiting(self) -> bool:
        """Whether rules wait for a model that knows language (`rules_wait`)."""
        return self._run.is_waiting

    @property
    def baseline(self) -> Baseline | None:
        """The run's start; None before it."""
        return self._run.start

    @property
    def rules(self) -> tuple[Threshold, ...]:
        """What alerts are raised on."""
        return self._run.alarms.rules

    @property
    def sight(self) -> tuple[Sight, ...]:
        """What each rule can see: the smallest change that it finds, and in how many documents.

        Documents are taken to differ by 0.25 nats until that is measured; from then on it is as
        the last look at the whole panel says. The log tells it when the run starts.
        """
        return self._run.sight()

    @property
    def alerts(self) -> list[Alert]:
        """Every alert so far."""
        return self._run.alarms.alerts

    @property
    def history(self) -> list[Look]:
        """Every look at the whole panel since the run was started or resumed.

        Of more than 10,000 half are kept, evenly over the run, the first and the last among them.
        """
        return self._run.history

    @property
    def written(self) -> Samples | None:
        """What the model wrote at the last look at which it did; None before there is one."""
        return self._run.written

    @property
    def position_logprobs(self) -> Floats | None:
        """Log-probability of each of the panel's positions at the last look at the whole panel.

        float64 of shape (positions,), natural logarithms, in row-major order; None before there is
        such a look since the run was started or resumed.
        """
        return self._run.position_logprobs

    @property
    def track(self) -> Track:
        """What the looks at the whole panel gave, window by window, for a `control`."""
        return self._run.track

    def save_track(self, path: str | os.PathLike[str]) -> None:
        """Write the track to a file, on the first process, for `control=path` in other runs.

        Of a resumed run it holds what was looked at before too, in at most `MOST_IN_STATE` looks.

        Args:
            path: Where the file shall be, such as "human.track.npz".

        Raises:
            CollapseGuardError: The run has not been looked at.
        """
        if is_first_process():
            self._run.track.save(path)

    @property
    def overhead_spent(self) -> float:
        """Seconds of all looks so far over seconds of training; NaN before any training.

        Training is what goes on between two calls of `observe`, after `start`.
        """
        return self._run.clock.overhead

    @property
    def writing_spent(self) -> float:
        """The part of `overhead_spent` in which the model wrote; NaN before any training.

        What is reckoned with what it wrote comes on top.
        """
        return self._run.clock.writing_overhead

    @property
    def readings(self) -> tuple[ReadingKind, ...]:
        """What each look at the whole panel reads."""
        return tuple(self._run.kinds)

    @property
    def reading_names(self) -> tuple[str, ...]:
        """Names of the readings that each look at the whole panel takes."""
        return tuple(kind.name for kind in self._run.kinds)

    @checked(model=A_MODEL, step=A_STEP)
    def start(
        self, model: torch.nn.Module, step: int = 0, *, optimizer: Optimizer | None = None
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
        run = self._run
        run.begin()
        with run.clock.looking(device_of(model)), averaged_weights(optimizer):
            reading = self._see_all(model, step, run.take_start)
        run.clock.leave()
        return run.keep(Look(**vars(reading)))

    def begin(self, baseline: Baseline) -> None:
        """Forget any earlier run, and compare the next one with this start, instead of `start`.

        With the start that it is compared with now, the next run is one more of a chain, and its
        rules go on with what is left of their error budgets.

        Args:
            baseline: As at construction.

        Raises:
            ArgumentError: It is of another panel, or of other readings.
        """
        self._run.begin(A_BASELINE("baseline", baseline))

    def observe(
        self, model: torch.nn.Module, step: int, *, optimizer: Optimizer | None = None
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
        run = self._run
        if run.start is None:
            raise run.no_start()
        if type(step) is not int or not isinstance(model, torch.nn.Module):
            step = A_STEP("step", step)
            A_MODEL("model", model)
        windows = run.schedule.due(step, run.clock.arrive())
        try:
            if windows:
                return self._paced_look(model, step, windows, optimizer)
            return Look(step, {}, {}, is_full=False)
        finally:
            run.clock.leave()

    @checked(model=A_MODEL, step=A_STEP)
    def look(
        self, model: torch.nn.Module, step: int, *, optimizer: Optimizer | None = None
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
        run = self._run
        if run.start is None:
            raise run.no_start()
        run.schedule.due(step, run.clock.arrive())
        try:
            with run.clock.looking(device_of(model)), averaged_weights(optimizer):
                return self._full_look(model, step)
        finally:
            run.clock.leave()

    def pause(self) -> None:
        """Say that what goes on from now to the next call is no training."""
        self._run.clock.pause()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, in plain JSON types: start, pace, rules, and alerts so far."""
        return self._run.state_dict()

    def timing_state(self) -> dict[str, Any]:
        """The part of `state_dict` that changes where nobody looks, too: it takes microseconds."""
        return self._run.timing_state()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`, of this release or of the last.

        Rules that the state does not know start afresh, and so does another pace.

        Raises:
            ArgumentError: It is no such state, or of a monitor with another panel, or other
                readings.
        """
        self._run.load_state_dict(state)

    def _paced_look(
        self, model: torch.nn.Module, step: int, windows: int, optimizer: Optimizer | None
    ) -> Look:
        run, num_windows = self._run, self._run.rotation.num_windows
        windows = windows if run.rotation.is_complete else num_windows
        seconds: list[float] = []
        try:
            with run.clock.looking(device_of(model)) as seconds, averaged_weights(optimizer):
                if windows == num_windows:
                    return self._full_look(model, step)
                return self._small_look(model, step, windows)
        finally:
            # A look that failed has cost its time too.
            run.schedule.looked(step, windows, sum(seconds))

    def _small_look(self, model: torch.nn.Module, step: int, windows: int) -> Look:
        turn = (rotation := self._run.rotation).next(windows)
        rotation.update(turn, self._score(model, windows=turn))
        evidence = self._evidence(model, step, rotation.whole, moved=rotation.moved())
        return self._judged(take_readings(self._cheap, evidence))

    def _full_look(self, model: torch.nn.Module, step: int) -> Look:
        return self._run.keep(self._judged(self._see_all(model, step, self._run.take_all)))

    def _see_all(
        self, model: torch.nn.Module, step: int, take: Callable[[Evidence], Reading]
    ) -> Reading:
        run = self._run
        if self._against_base and run.base is None:
            run.base = self._probe.without_adapters(model)
        began = time.perf_counter()
        taken = take(self._look_at_all(model, step))
        run.schedule.calibrate(step, time.perf_counter() - began, partial(self._timed, model))
        return taken

    def _look_at_all(self, model: torch.nn.Module, step: int) -> Evidence:
        run, scores = self._run, self._probe.whole(model)
        run.saw_all(step, scores)
        control = None if run.control is None else run.control.at(step)
        written = writing(self._probe, run, model)
        return self._evidence(model, step, scores, scores=scores, control=control, **written)

    def _evidence(
        self, model: torch.nn.Module, step: int, sums: BandSums | PanelScores, **seen: Any
    ) -> Evidence:
        run = self._run
        return Evidence(
            model,
            self._probe.panel,
            step,
            sums,
            run.start,
            base=run.base,
            at_whole=run.at_whole,
            prequential={} if run.prequential is None else run.prequential.estimates(),
            batch_size=self._probe.batch_size,
            **seen,
        )

    def _judged(self, reading: Reading) -> Look:
        if self._run.start is None or self._run.is_waiting:
            return Look(**vars(reading))
        alerts = self._run.alarms.check(reading, self._run.start.readings)
        return Look(**vars(reading), alerts=tuple(alerts))

    def _timed(self, model: torch.nn.Module, windows: int) -> float:
        began = time.perf_counter()
        self._score(model, windows=self._run.rotation.next(windows))
        return time.perf_counter() - began
