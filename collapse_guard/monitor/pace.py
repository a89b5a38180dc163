"""How much of a panel is looked at on which step: what users say, and the schedule that follows."""

import math
import statistics
from collections import deque
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from collapse_guard.distributed import of_first_process
from collapse_guard.errors import bad_argument
from collapse_guard.statistics.json_forms import MOST, Part

_HORIZON = 100
"""Steps after which a plan without a look is made anew, should steps have changed meanwhile."""

_NOT_YET = 1 << 62
"""The step of a look that is not planned."""

_TIMED = 15
"""Steps whose seconds are kept."""

_FEW = 4
"""Windows of a look that is timed beside one at a single window, to tell what a window adds."""

CALIBRATING = 2 * (1 + _FEW)
"""Windows that are looked at to learn what looks cost."""

_PARTS = ("costs", "accounts", "plan", "step_seconds", "step")


@runtime_checkable
class Pace(Protocol):
    """How often to look, and at how much: settings, which any number of monitors may share."""

    def schedule(self, *, num_windows: int, most: int) -> "Schedule":
        """What a run goes by.

        Args:
            num_windows: Windows of the panel.
            most: Largest number of windows in a small look, on all processes together.
        """


class Schedule(Protocol):
    """Says how much to look at, and is told what looking took."""

    def due(self, step: int, trained: float | None) -> int:
        """How many windows to look at after this step: none, some, or all of the panel.

        Args:
            step: The training step.
            trained: Seconds of training since the last call; None where that is not known.
        """

    def looked(self, step: int, windows: int, seconds: float) -> None:
        """Take note of a look that `due` asked for."""

    def calibrate(self, step: int, full: float, timed: Callable[[int], float]) -> None:
        """Learn what looks cost, from the first look at the whole panel; later ones say nothing.

        Args:
            step: The step that the run starts after.
            full: Seconds of a look at the whole panel.
            timed: Looks at so many windows and returns the seconds that it took.
        """

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, in plain JSON types."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`; one of another pace says nothing."""


@dataclass(frozen=True)
class EveryNSteps:
    """The pace that looks at the whole panel every n steps, and at nothing in between.

    Attributes:
        steps: n, at least 1.

    Raises:
        ArgumentError: At construction, for n below 1.

    Example:
        >>> schedule = EveryNSteps(50).schedule(num_windows=8, most=4)
        >>> schedule.due(49, None), schedule.due(50, None)
        (0, 8)
    """

    steps: int

    def __post_init__(self) -> None:
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or self.steps < 1:
            raise bad_argument(
                "steps",
                expected="a whole number of at least 1 step",
                given=self.steps,
                hint="try EveryNSteps(50)",
            )

    def schedule(self, *, num_windows: int, most: int) -> "EveryNStepsSchedule":
        """As `Pace.schedule`."""
        return EveryNStepsSchedule(self.steps, num_windows=num_windows)


class EveryNStepsSchedule:
    """The whole panel, every n steps.

    Args:
        steps: n, at least 1.
        num_windows: Windows of the panel.
    """

    def __init__(self, steps: int, *, num_windows: int) -> None:
        self._steps = steps
        self._num_windows = num_windows
        self._step: int | None = None

    def due(self, step: int, trained: float | None) -> int:
        """All windows at every n-th step, or at the first call after it."""
        before, self._step = self._step, step
        if before is None or before >= step:
            before = step - 1
        passed = step // self._steps > before // self._steps
        return self._num_windows if passed else 0

    def looked(self, step: int, windows: int, seconds: float) -> None:
        """Nothing to note."""

    def calibrate(self, step: int, full: float, timed: Callable[[int], float]) -> None:
        """Count from this step on: a run may start at any."""
        self._step = step

    def state_dict(self) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to go on from."""
        Part("state", state).entries()


@dataclass(frozen=True)
class Budget:
    """The pace that spends a stated share of the training time on looks.

    `BudgetSchedule` says how.

    Attributes:
        overhead: The share, above 0 and below 1.

    Raises:
        ArgumentError: At construction, for a share out of range.
    """

    overhead: float = 0.01

    def __post_init__(self) -> None:
        if not isinstance(self.overhead, int | float) or not 0.0 < self.overhead < 1.0:
            raise bad_argument(
                "overhead",
                expected="a share of the training time above 0 and below 1",
                given=self.overhead,
                hint="Budget(0.01) spends a hundredth; EveryNSteps(50) fixes the pace",
            )

    def schedule(self, *, num_windows: int, most: int) -> "BudgetSchedule":
        """As `Pace.schedule`."""
        return BudgetSchedule(self.overhead, num_windows=num_windows, most=most)


class BudgetSchedule:
    """As much as a stated share of the training time allows.

    Half of the budget goes to small looks, as often as it allows and no larger than needed; what
    looks cost regardless of their size is shared by at least as much that grows with it, where
    steps are too short to look after each. The other half goes to looks at the whole panel. Both
    halves are accounts that training time pays into and looks draw from, so that what a look costs
    more than was foreseen is waited for before the next. Neither saves up for more than one look:
    a long pause, for an evaluation say, is not followed by look upon look at much the same model.

    When to look next is settled at each look, and every 100 steps without one, by the first process
    for all: in between nothing is asked of any other process or of the accelerator.

    Args:
        overhead: Share of the training time that looks may take, above 0 and below 1.
        num_windows: Windows of the panel.
        most: Largest number of windows in a small look.
    """

    def __init__(self, overhead: float, *, num_windows: int, most: int) -> None:
        self._rate = overhead / 2
        self._num_windows = num_windows
        self._most = max(min(most, num_windows // 2), 1)
        self._step = 0
        self._step_seconds: deque[float] = deque(maxlen=_TIMED)
        self._fixed, self._per_window, self._full = 0.0, 0.0, 0.0
        self._small_account, self._full_account = 0.0, 0.0
        self._small_due, self._small_windows, self._full_due = 1, 1, 1

    def calibrate(self, step: int, full: float, timed: Callable[[int], float]) -> None:
        """Begin, knowing what looks cost: of all windows, of one, and of a few.

        Args:
            step: The step that the run starts after.
            full: As in `Schedule.calibrate`.
            timed: As in `Schedule.calibrate`.
        """
        if self._full > 0.0:
            return
        # The first call of its kind pays for what a model or a compiler sets up.
        few = min(_FEW, self._most)
        timed(1), timed(few)
        one, more = timed(1), timed(few)
        self._per_window = max(more - one, 0.0) / max(few - 1, 1)
        self._fixed, self._full = max(one - self._per_window, 0.0), full
        # Until a step has been timed nobody knows what may be spent.
        self._small_due, self._full_due = step + 3, _NOT_YET
        self._small_windows = 0
        self._step = step

    def due(self, step: int, trained: float | None) -> int:
        """What has come due, the whole panel first."""
        self._earn(step, trained)
        if step >= self._full_due:
            return self._num_windows
        if step >= self._small_due:
            if not self._small_windows:
                # Steps were only timed so far.
                self._plan(step)
                return 0
            return self._small_windows
        return 0

    def looked(self, step: int, windows: int, seconds: float) -> None:
        """Draw a look from its account, learn its cost, and settle when the next ones are."""
        if windows == self._num_windows:
            self._full_account -= seconds
            self._full += (seconds - self._full) / 2
        else:
            self._small_account -= seconds
            foreseen = self._fixed + self._per_window * windows
            correction = 1 + (seconds / foreseen - 1) / 8 if foreseen > 0 else 1.0
            self._fixed *= correction
            self._per_window *= correction
        self._plan(step)

    def state_dict(self) -> dict[str, Any]:
        """Costs, accounts and plan."""
        return {
            "costs": [self._fixed, self._per_window, self._full],
            "accounts": [self._small_account, self._full_account],
            "plan": [self._small_due, self._small_windows, self._full_due],
            "step_seconds": list(self._step_seconds),
            "step": self._step,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`; one of another pace says nothing.

        Raises:
            ArgumentError: It is no such state; nothing is changed then.
        """
        whole = Part("state", state)
        if not set(_PARTS) & set(whole.entries()):
            return
        parts = whole.keys(*_PARTS)
        costs = parts["costs"].numbers(3, least=0.0)
        accounts = parts["accounts"].numbers(2)
        step = parts["step"].whole()
        small, windows, full = parts["plan"].items(3)
        # Of so many steps without a look, a plan is made anew.
        small_due = small.whole(least=-MOST, most=step + _HORIZON)
        small_windows = windows.whole(most=self._num_windows)
        full_due = full.whole(least=-MOST, most=2 * _NOT_YET - 1)
        seconds = [each.number(least=0.0) for each in parts["step_seconds"].items(most=_TIMED)]
        self._fixed, self._per_window, self._full = costs.tolist()
        self._small_account, self._full_account = accounts.tolist()
        self._small_due, self._small_windows, self._full_due = small_due, small_windows, full_due
        self._step_seconds, self._step = deque(seconds, maxlen=_TIMED), step

    def _earn(self, step: int, trained: float | None) -> None:
        if step < self._step:
            # Another training counts its steps afresh: what was to be waited for still is.
            self._small_due += step - self._step
            self._full_due += step - self._step
        if trained is not None:
            largest = self._fixed + self._per_window * self._most
            self._small_account = min(self._small_account + self._rate * trained, largest)
            self._full_account = min(self._full_account + self._rate * trained, self._full)
            if step > self._step:
                self._step_seconds.append(trained / (step - self._step))
        self._step = step

    def _plan(self, step: int) -> None:
        # The median: a checkpoint or an evaluation between two steps is no step.
        each = statistics.median(self._step_seconds) if self._step_seconds else 0.0
        income = max(self._rate * each, 1e-9)
        windows = self._affordable(income)
        wait = _steps_until(self._fixed + self._per_window * windows, self._small_account, income)
        full_wait = _steps_until(self._full, self._full_account, income)
        if wait > _HORIZON:
            wait, windows = _HORIZON, 0
        plan = [step + wait, windows, step + full_wait]
        if not self._step_seconds:
            # No step has been timed: nobody knows what may be spent.
            plan = [step + 3, 0, _NOT_YET]
        settled = of_first_process(plan)
        self._small_due, self._small_windows, self._full_due = map(int, settled)

    def _affordable(self, income: float) -> int:
        """Windows of the next small look: for one step's income, or enough to be worth a wait."""
        if self._per_window <= 0.0:
            return self._most
        for_one_step = (income - self._fixed) / self._per_window
        worth_a_wait = self._fixed / self._per_window
        return int(min(max(for_one_step, worth_a_wait, 1.0), self._most))


def load_schedule(schedule: Schedule, state: Part) -> None:
    """Have a schedule go on from a part of a state, or stay as it is.

    Raises:
        ArgumentError: It cannot.
    """
    state.entries()
    before = deepcopy(schedule.state_dict())
    try:
        schedule.load_state_dict(state.value)
    except Exception as error:
        schedule.load_state_dict(before)
        raise state.wrong(f"what the pace can go on from ({error})") from error


def _steps_until(cost: float, account: float, income: float) -> int:
    return max(math.ceil((cost - account) / income), 1)
