"""The state of one run: what a monitor knows of it, and what is saved with its checkpoints."""

import logging
from collections.abc import Hashable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from collapse_guard.alerts.alarms import Alarms
from collapse_guard.alerts.sight import Sight, sights, tell
from collapse_guard.distributed import is_first_process
from collapse_guard.errors import CollapseGuardError, bad_argument
from collapse_guard.monitor.control import Control
from collapse_guard.monitor.look import Look
from collapse_guard.monitor.pace import Schedule, load_schedule
from collapse_guard.monitor.readiness import knows_language
from collapse_guard.monitor.rotation import Rotation
from collapse_guard.monitor.start import comparable, is_same, reads_written, without_written
from collapse_guard.monitor.stopwatch import Stopwatch
from collapse_guard.monitor.track import Track
from collapse_guard.readings.baseline import Baseline
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.readings.panel import Panel
from collapse_guard.readings.panel_sums import Floats, PanelScores
from collapse_guard.readings.prequential import PrequentialReader
from collapse_guard.readings.reading import Reading
from collapse_guard.readings.sampling import Samples, Sampling
from collapse_guard.readings.take import baseline_of, kept_of_start, take_readings
from collapse_guard.spacing import thinned_out
from collapse_guard.statistics.estimates import Estimate
from collapse_guard.statistics.json_forms import Part

logger = logging.getLogger("collapse_guard")

MOST_IN_HISTORY = 10_000
"""Looks at the whole panel that a run remembers: some 10 kB each."""

_PARTS = ("baseline", "base", "alarms", "rotation", "pace", "stopwatch", "prequential")


@dataclass(eq=False)
class Run:
    """What a monitor knows of the run that it watches.

    Attributes:
        panel: The held-out data that is looked at.
        kinds: What is read of it.
        alarms: The rules, and how often each was looked at and broken.
        schedule: When to look next.
        rotation: Which windows are looked at next, and what each gave when it was looked at last.
        clock: Seconds of looks and of training.
        prequential: Reads human rows off the training; None where nothing does.
        start: What everything is compared with; None before there is one.
        rules_wait: Whether rules wait for a model that knows no language yet.
        control: The run that it is compared with at equal steps; None where it is with none.
        sampling: How much the model writes; None for nothing.
        is_waiting: Whether the start is one of a model that knows no language yet, so that rules
            wait, and the start is taken anew.
        is_chained: Whether another run's start was gone on from, and still is.
        base: What the model without its adapters gives; None before it was looked at.
        at_whole: What cheap readings were at the last look at the whole panel, by what reads them.
        vocab_size: Types that the model predicts; None before it was looked at.
        history: The looks at the whole panel, without what each document contributes: of
            thousands of looks that would be gigabytes. Of more than `MOST_IN_HISTORY` half are
            kept, evenly over the run.
        track: What each look at the whole panel gave, for another run to be compared with.
        last_whole: The last look at the whole panel, with what each document contributes; None
            before there is one since the run was started or resumed.
        written: What the model wrote at the last look at which it did.
        position_logprobs: What each position was given at the last look at the whole panel.
    """

    panel: Panel
    kinds: Sequence[ReadingKind]
    alarms: Alarms
    schedule: Schedule
    rotation: Rotation
    clock: Stopwatch
    prequential: PrequentialReader | None = None
    start: Baseline | None = None
    rules_wait: bool = True
    control: Control | None = None
    sampling: Sampling | None = None
    is_waiting: bool = False
    is_chained: bool = False
    base: Baseline | None = None
    at_whole: dict[Hashable, Estimate] = field(default_factory=dict)
    vocab_size: int | None = None
    history: list[Look] = field(default_factory=list)
    last_whole: Look | None = None
    written: Samples | None = None
    position_logprobs: Floats | None = None

    def __post_init__(self) -> None:
        self._fresh_pace = deepcopy(self.schedule.state_dict())
        self._given_kinds = self.kinds
        self._accept("baseline", self.start)
        self.track = Track(self.panel.fingerprint)

    def begin(self, start: Baseline | None = None) -> None:
        """Forget any earlier run, and compare the next with this start, or with one to be taken.

        Where it is the start that there is, the next run goes on with the chain: with what its
        rules have spent of their error budgets, and with waiting where they wait.

        Raises:
            ArgumentError: The start is one of another panel, or of other readings.
        """
        before = self.start
        self._accept("baseline", start)
        goes_on = is_same(before, start)
        # As `go_on_from` has it: rules that wait with this start wait on.
        self.is_waiting = self.is_waiting and goes_on
        self.is_chained = self.is_chained and goes_on
        if goes_on:
            self.alarms.begin_next()
        else:
            self.alarms.clear()
        self.track = Track(self.panel.fingerprint)
        self.clock.restart()
        self.schedule.load_state_dict(deepcopy(self._fresh_pace))
        self.rotation = Rotation(self.panel)
        self.base, self.vocab_size, self.history, self.at_whole = None, None, [], {}
        self.last_whole = self.written = self.position_logprobs = None
        if self.prequential is not None:
            self.prequential.clear()

    def go_on_from(self, state: Mapping[str, Any]) -> None:
        """Go on with the chain that a run with this state is of: its start, and what is spent.

        Raises:
            ArgumentError: It is no such state, had no start, or is of another panel or readings.
        """
        parts = _parts("continues", state)
        if self.start is not None or parts["baseline"].value is None:
            raise bad_argument(
                "continues",
                expected="a monitor that has started, or its state_dict(), in place of a baseline",
                given="one without a start" if self.start is None else "both",
                hint="start the first model of the chain; those that follow take over its baseline",
            )
        start, is_waiting = Baseline.from_part(parts["baseline"]), _is_waiting(parts)
        spend = self.alarms.spending(parts["alarms"])
        self._accept("continues", start)
        self.is_waiting = self.rules_wait and is_waiting
        spend()
        self.is_chained = True

    def take_start(self, evidence: Evidence) -> Reading:
        """Readings of a look at the whole panel, which all others are compared with from now on.

        Or until a model that knows no language knows it.
        """
        start = baseline_of(evidence.panel, evidence.whole)
        start = replace(
            start,
            kept=kept_of_start(self.kinds, evidence),
            sampling=self.sampling.compared if self.sampling and self.writes else None,
        )
        reading = take_readings(self.kinds, replace(evidence, start=start))
        told = {
            kind.name: reading.estimate(kind.name) for kind in self.kinds if kind.start != "none"
        }
        self._start_from(replace(start, readings=Reading.of(0, told)), evidence)
        return reading

    def take_all(self, evidence: Evidence) -> Reading:
        """Readings of a look at the whole panel, with the start, or as the start it waits for."""
        if self.is_waiting and knows_language(evidence):
            return self.take_start(evidence)
        return take_readings(self.kinds, evidence)

    def _start_from(self, start: Baseline, evidence: Evidence) -> None:
        waited, self.is_waiting = self.is_waiting, self.rules_wait and not knows_language(evidence)
        self.start, self.at_whole = start, {}
        if self.is_waiting:
            logger.info(
                "the model is worse on the panel than the frequencies of its tokens: rules wait, "
                "and the start is taken anew, until it is better."
            )
        elif waited:
            logger.info(
                "from step %d the model is better on the panel than the frequencies of its tokens: "
                "this is the start that it is compared with now.",
                evidence.step,
            )

    def saw_all(self, step: int, scores: PanelScores) -> None:
        """Take in what the model gave on the whole panel: movement is told from here on."""
        self.rotation.update_all(scores)
        self.track.add(step, scores.tail_logprob, scores.head_logprob)
        self.at_whole, self.position_logprobs = {}, scores.position_logprobs
        before, self.vocab_size = self.vocab_size, scores.group_distributions.shape[1]
        if before not in (None, self.vocab_size):
            logger.warning(
                "the model predicts %d types now, and %d at the last look at the whole panel: what "
                "it gives to the new ones it takes from the others, so that readings may move for "
                "that alone.",
                self.vocab_size,
                before,
            )

    def keep(self, look: Look) -> Look:
        """Take a look at the whole panel into the history, and hand it on.

        The first one has the log tell what rules can see, but in a chain, which was told it.
        """
        is_first, self.last_whole = self.last_whole is None, look
        if is_first and not self.is_chained and is_first_process():
            tell(self.sight())
            if self.clock.written:
                logger.info(
                    "the model wrote for %.2g s of the first look, which is as often as the whole "
                    "panel is looked at; sampling=None leaves that out.",
                    self.clock.written,
                )
        self.history.append(replace(look, influences={}))
        if len(self.history) > MOST_IN_HISTORY:
            kept = thinned_out([look.step for look in self.history], MOST_IN_HISTORY // 2)
            self.history[:] = [self.history[place] for place in kept]
        return look

    def sight(self) -> tuple[Sight, ...]:
        """What each rule can see, with how documents differ as far as that is measured."""
        read = {kind.name for kind in self.kinds}
        return sights(
            [rule for rule in self.alarms.rules if rule.reading in read],
            self.kinds,
            self.panel,
            look=self.last_whole,
            start=None if self.start is None else self.start.readings,
        )

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, in plain JSON types."""
        return {
            "baseline": None if self.start is None else self.start.to_dict(),
            "is_waiting": self.is_waiting,
            "base": None if self.base is None else self.base.to_dict(),
            "alarms": self.alarms.state_dict(),
            "rotation": self.rotation.state_dict(),
            "track": self.track.state_dict(),
            "prequential": None if self.prequential is None else self.prequential.state_dict(),
            **self.timing_state(),
        }

    def timing_state(self) -> dict[str, Any]:
        """The part of `state_dict` that changes where nobody looks, too: it takes microseconds."""
        return {"pace": self.schedule.state_dict(), "stopwatch": self.clock.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`, of this release or of the last.

        Rules that the state does not know start afresh, and so does another pace.

        Raises:
            ArgumentError: It is no such state, or of a run with another panel or other readings.
        """
        parts = _parts("state", state)
        start, base = _baseline(parts["baseline"]), _baseline(parts["base"])
        if start is not None:
            comparable("state", start, self.panel, self._given_kinds, self.sampling)
        is_waiting = _is_waiting(parts)
        track = Track(self.panel.fingerprint)
        # The last release's have none.
        if "track" in parts:
            track = Track.from_part(track.panel, parts["track"], windows=len(self.panel))
        restore = [
            self.alarms.restoring(parts["alarms"]),
            self.rotation.restoring(parts["rotation"]),
            self.clock.restoring(parts["stopwatch"]),
        ]
        if self.prequential is not None and parts["prequential"].value is not None:
            restore.append(self.prequential.restoring(parts["prequential"]))
        # It may be the user's own, of which nobody knows what it refuses until it is asked.
        load_schedule(self.schedule, parts["pace"])
        before = self.start
        self._accept("state", start)
        self.is_chained = self.is_chained and is_same(before, start)
        # What was looked at before was another run's, or a part of this one that is run again.
        self.history, self.last_whole, self.at_whole = [], None, {}
        self.position_logprobs = None
        self.is_waiting, self.base, self.track = is_waiting, base, track
        for each in restore:
            each()

    @property
    def writes(self) -> bool:
        """Whether any reading is of what the model writes."""
        return reads_written(self.kinds)

    def leave_out_written(self) -> None:
        """Read nothing of what the model writes from now on, until the next run.

        Raises:
            CollapseGuardError: Nothing is read then.
        """
        self.kinds = without_written(self.kinds)

    def _accept(self, name: str, start: Baseline | None) -> None:
        self.kinds = self._given_kinds
        if start is not None:
            self.kinds = comparable(name, start, self.panel, self.kinds, self.sampling)
        self.start = start

    def no_start(self) -> CollapseGuardError:
        """What a look without a start to compare with ends in."""
        return CollapseGuardError(
            "the monitor has no start to compare with: call start(model) before the first "
            "training step, or give `baseline=` at construction."
        )


def _parts(name: str, state: object) -> dict[str, Part]:
    there = state if isinstance(state, Mapping) else {}
    missing = [part for part in _PARTS if part not in there]
    if missing:
        raise bad_argument(
            name,
            expected="what state_dict() of a monitor returned",
            given=f"one without {', '.join(missing)}",
            hint="start the run anew, or resume it with the release that wrote the state",
        )
    return Part(name, there).keys(*_PARTS, optional=["is_waiting", "track"])


def _baseline(state: Part) -> Baseline | None:
    return None if state.value is None else Baseline.from_part(state)


def _is_waiting(parts: Mapping[str, Part]) -> bool:
    # The last release's does not say so.
    return "is_waiting" in parts and parts["is_waiting"].flag()
