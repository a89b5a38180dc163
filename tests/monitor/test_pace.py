import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.monitor.pace import Budget, BudgetSchedule, EveryNSteps, load_schedule
from collapse_guard.statistics.json_forms import Part
from tests.paces import Scripted

WINDOWS = 64
MOST = 16


@dataclass(frozen=True)
class Costs:
    """Seconds of a look: `fixed` and `per_window` for small ones, times what `drift` says."""

    fixed: float = 0.002
    per_window: float = 0.0005
    full: float = 0.1
    drift: Callable[[int], float] = lambda step: 1.0

    def __call__(self, step: int, windows: int) -> float:
        plain = self.full if windows == WINDOWS else self.fixed + self.per_window * windows
        return plain * self.drift(step)


@dataclass
class Diary:
    """What a pace looked at in a run, and what that took."""

    windows: dict[int, int] = field(default_factory=dict)
    trained: float = 0.0
    looked: float = 0.0
    costliest: float = 0.0

    @property
    def overhead(self) -> float:
        return self.looked / self.trained

    @property
    def full(self) -> list[int]:
        return [step for step, windows in self.windows.items() if windows == WINDOWS]

    @property
    def small(self) -> list[int]:
        return [step for step, windows in self.windows.items() if windows < WINDOWS]


def calibrated(costs: Costs, overhead: float = 0.01) -> BudgetSchedule:
    schedule = Budget(overhead).schedule(num_windows=WINDOWS, most=MOST)
    schedule.calibrate(0, costs(0, WINDOWS), partial(costs, 0))
    return schedule


def run(pace: BudgetSchedule, steps: Iterable[float], costs: Costs, *, first: int = 1) -> Diary:
    """Train for so many seconds a step."""
    diary = Diary()
    for step, seconds in enumerate(steps, first):
        diary.trained += seconds
        if windows := pace.due(step, seconds):
            cost = costs(step, windows)
            diary.windows[step] = windows
            diary.looked += cost
            diary.costliest = max(diary.costliest, cost)
            pace.looked(step, windows, cost)
    return diary


def test_every_n_steps_looks_at_everything_at_every_nth() -> None:
    pace = EveryNSteps(3).schedule(num_windows=WINDOWS, most=MOST)
    assert [pace.due(step, 1.0) for step in range(1, 8)] == [0, 0, 64, 0, 0, 64, 0]
    pace.load_state_dict(json.loads(json.dumps(pace.state_dict())))
    with pytest.raises(ArgumentError, match="`steps`"):
        EveryNSteps(0)


@pytest.mark.parametrize("overhead", [0.002, 0.01])
@pytest.mark.parametrize(
    "costs",
    [Costs(), Costs(fixed=0.05, per_window=0.0001), Costs(fixed=0.0, per_window=0.01, full=1.0)],
    ids=["usual", "fixed", "by_window"],
)
def test_an_even_run_spends_its_budget_half_on_each_kind(costs: Costs, overhead: float) -> None:
    diary = run(calibrated(costs, overhead), [0.5] * 20_000, costs)
    assert 0.9 * overhead < diary.overhead < 1.01 * overhead
    full = sum(costs(step, WINDOWS) for step in diary.full)
    assert full == pytest.approx(diary.looked / 2, rel=0.1)


@given(
    pattern=st.lists(st.floats(0.001, 10.0), min_size=1, max_size=8),
    pause_every=st.integers(20, 400),
    pause=st.floats(0.0, 600.0),
    overhead=st.sampled_from([0.003, 0.01, 0.1]),
    fixed=st.floats(0.0, 0.1),
    per_window=st.floats(0.0, 0.02),
    full=st.floats(0.01, 2.0),
    growth=st.floats(0.2, 5.0),
)
@example(
    pattern=[1.0, 0.001],
    pause_every=100,
    pause=600.0,
    overhead=0.01,
    fixed=0.05,
    per_window=0.0,
    full=0.5,
    growth=5.0,
)
def test_the_budget_is_kept(
    pattern: Sequence[float],
    pause_every: int,
    pause: float,
    overhead: float,
    fixed: float,
    per_window: float,
    full: float,
    growth: float,
) -> None:
    steps = [
        seconds + pause * (step % pause_every == 0)
        for step, seconds in zip(range(1, 2_001), itertools.cycle(pattern), strict=False)
    ]
    # Costs change evenly, half of the change at once in the middle.
    costs = Costs(
        fixed, per_window, full, drift=lambda step: growth ** (step / 4_000 + (step > 1_000) / 2)
    )
    diary = run(calibrated(costs, overhead), steps, costs)
    # What is owed is never more than a few looks, so that it is nothing in the long run.
    assert diary.looked <= overhead * diary.trained + 2 * diary.costliest


def test_costs_that_grow_are_learnt() -> None:
    costs = Costs(drift=lambda step: 1.0 if step < 5_000 else 10.0)
    diary = run(calibrated(costs), [0.2] * 20_000, costs)
    assert 0.009 < diary.overhead < 0.0101
    before = sum(step < 5_000 for step in diary.full) / 5_000
    after = sum(step >= 5_000 for step in diary.full) / 15_000
    assert after == pytest.approx(before / 10, rel=0.2)


def test_a_long_pause_is_not_followed_by_look_upon_look() -> None:
    costs = Costs()
    even = run(calibrated(costs), [0.2] * 2_000, costs)
    paused = run(calibrated(costs), [0.2] * 1_000 + [3_600.0] + [0.2] * 999, costs)
    assert len(paused.full) <= len(even.full) + 1
    assert len(paused.small) <= len(even.small) + MOST


def test_a_plan_is_made_anew_where_steps_were_unlike_the_first() -> None:
    costs = Costs(fixed=0.05, per_window=0.0001)
    # At the pace of the first steps the first look would be 10,000 steps away.
    diary = run(calibrated(costs), [0.001] * 10 + [1.0] * 990, costs)
    assert min(diary.small) < 250
    assert diary.overhead > 0.008


def test_no_look_before_steps_are_timed_and_a_full_one_before_long() -> None:
    costs = Costs()
    diary = run(calibrated(costs, 0.1), [0.5] * 100, costs)
    assert min(diary.windows) > 3
    assert diary.full


def test_small_looks_are_as_large_as_one_step_pays_for() -> None:
    def typical(step_seconds: float) -> tuple[float, float]:
        costs = Costs(fixed=0.002, per_window=0.001, full=10.0)
        diary = run(calibrated(costs), [step_seconds] * 3_000, costs)
        sizes = [windows for windows in diary.windows.values() if windows < WINDOWS]
        return float(np.median(sizes)), len(diary.small) / 3_000

    # (0.005 x 1.6 - 0.002) / 0.001 = 6 windows on nearly every step.
    size, often = typical(1.6)
    assert size == pytest.approx(6, abs=1)
    assert often > 0.8
    # Too short for a look after each: then the part that grows with size weighs as much.
    size, often = typical(0.2)
    assert size == pytest.approx(2, abs=1)
    assert 0.2 < often < 0.4
    assert typical(60.0) == (MOST, pytest.approx(1.0, abs=0.05))


def test_state_goes_on_after_json() -> None:
    costs = Costs()
    whole = calibrated(costs)
    run(whole, [0.3] * 500, costs)
    resumed = Budget(0.01).schedule(num_windows=WINDOWS, most=MOST)
    resumed.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    # It knows what looks cost: another look at all of the panel asks for none to be timed.
    resumed.calibrate(500, 1.0, pytest.fail)
    # The first call after a resumption knows no time, which costs a step's income.
    whole.due(501, None), resumed.due(501, None)
    steps = [0.3] * 500
    assert run(resumed, steps, costs, first=502) == run(whole, steps, costs, first=502)


def test_the_state_of_another_pace_says_nothing() -> None:
    costs = Costs()
    pace, fresh = calibrated(costs), calibrated(costs)
    every_fifth = EveryNSteps(5).schedule(num_windows=WINDOWS, most=MOST)
    pace.load_state_dict(every_fifth.state_dict())
    assert run(pace, [0.3] * 100, costs) == run(fresh, [0.3] * 100, costs)
    every_fifth.load_state_dict(pace.state_dict())


@pytest.mark.parametrize("overhead", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_out_of_range_is_refused(overhead: float) -> None:
    with pytest.raises(ArgumentError, match="`overhead`"):
        Budget(overhead)


def test_a_training_that_counts_its_steps_afresh_waits_no_longer() -> None:
    costs = Costs()
    pace = calibrated(costs)
    run(pace, [0.5] * 5_000, costs)
    again = run(pace, [0.5] * 5_000, costs)
    assert 0.9 * 0.01 < again.overhead < 1.1 * 0.01


def test_every_n_steps_counts_from_where_a_run_starts() -> None:
    schedule = EveryNSteps(10).schedule(num_windows=8, most=4)
    for start in (0, 45, 0):
        schedule.calibrate(start, 1.0, lambda windows: 1.0)
        due = [step for step in range(start + 1, start + 12) if schedule.due(step, None)]
        assert due == [start // 10 * 10 + 10]


class Halfway(Scripted):
    """A pace of the user's own that finds out what it cannot take when it has taken the rest."""

    def __init__(self) -> None:
        super().__init__(1)
        self.kept = {"count": 1}

    def state_dict(self) -> dict[str, Any]:
        return self.kept

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.kept["count"] = state["count"]
        if self.kept["count"] > 5:
            raise OverflowError("at most 5")


def test_a_pace_of_ones_own_that_refuses_a_state_stays_as_it_was() -> None:
    pace = Halfway()
    load_schedule(pace, Part("state", {"count": 4}))
    assert pace.kept == {"count": 4}
    told = r"`state` expected what the pace can go on from \(at most 5\)"
    with pytest.raises(ArgumentError, match=told):
        load_schedule(pace, Part("state", {"count": 6}))
    assert pace.kept == {"count": 4}
    with pytest.raises(ArgumentError, match="`state` expected"):
        load_schedule(pace, Part("state", [6]))
