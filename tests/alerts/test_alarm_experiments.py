"""What alarms promise, on simulated runs of 1,000 looks each.

The short form of `python -m tests.alarm_delays`, whose figures the documentation tells.
"""

import math

import numpy as np
import pytest
from scipy import stats

from collapse_guard import Threshold
from collapse_guard.alerts.alarms import Alarms
from collapse_guard.monitor.rotation import Rotation
from collapse_guard.readings.baseline import Baseline
from collapse_guard.readings.panel_sums import BandSums
from collapse_guard.readings.reading import Reading
from tests.alarm_delays import LIMITS, LOSSES, Row, alarms, healthy_runs, rows
from tests.batched_readings import ALPHA, NEVER, Tracks, first_alarms, first_stops, read, read_runs
from tests.looks import CHEAP_KINDS, make_small_reading
from tests.simulated_runs import (
    FULL_EVERY,
    GRADUAL,
    LOOKS,
    SUDDEN,
    Law,
    SimulatedRuns,
    Truth,
    losing,
    simulated_panel,
    steady,
)
from tests.sizes import sized

pytestmark = pytest.mark.slow

LOST, GAP = (
    Threshold("tail_retention", below=0.85, alpha=ALPHA),
    Threshold("tail_gap", above=0.20, alpha=ALPHA),
)
HEALTHY_RUNS, LOSING_RUNS, LEANING_RUNS = 500, 50, 250
COMPARED_LOOKS = sized(short=330, long=LOOKS)
AT_BOTH_LIMITS = {"tail": math.log(0.85), "head": math.log(0.85) + 0.20}


def share(stops: np.ndarray) -> float:
    return float(np.mean(stops < NEVER))


def assert_at_most_alpha(stops: np.ndarray) -> None:
    """More would be seen in one of a thousand such experiments, were the chance truly `ALPHA`."""
    assert np.sum(stops < NEVER) <= stats.binom.ppf(0.999, len(stops), ALPHA)


@pytest.fixture(scope="module")
def healthy() -> Tracks:
    return healthy_runs(HEALTHY_RUNS)


@pytest.fixture(scope="module")
def at_the_limits() -> Tracks:
    """The hardest healthy runs: both truths stand exactly at their limits from first to last."""
    return read_runs(steady(**AT_BOTH_LIMITS), runs=HEALTHY_RUNS)


@pytest.fixture(scope="module")
def table(healthy: Tracks) -> list[Row]:
    return list(rows(healthy, runs=LOSING_RUNS))


def test_the_batched_path_is_the_package_s_own() -> None:
    panel, runs = simulated_panel(), 2
    truth = losing(0.3, over=sized(short=SUDDEN, long=GRADUAL))
    truth = Truth(*(band[:COMPARED_LOOKS] for band in (truth.tail, truth.head, truth.torso)))
    simulated = SimulatedRuns(panel, truth, runs=runs, seed=7)
    rules = [
        LOST,
        GAP,
        *(Threshold("tail_retention", below=limit) for limit in (0.95, 0.8)),
        Threshold("tail_retention", below=0.9, alpha=None),
        Threshold("tail_gap", above=0.1, alpha=None),
    ]
    start = np.random.default_rng(0).normal(-300.0, 100.0, (2, len(panel)))
    baseline = Baseline(panel.fingerprint, *map(tuple, start.tolist()), Reading(0, {}, {}))
    rotations = [Rotation(panel) for _ in range(runs)]
    watches = [Alarms(rules, CHEAP_KINDS, seed=run) for run in range(runs)]
    batched = read(simulated)
    for number, look in enumerate(simulated):
        for run, rotation in enumerate(rotations):
            # Told as the log-probabilities that a model would give, from which the start's are off.
            sums = BandSums(
                look.tail[run] + start[0, look.windows],
                np.zeros(len(look.windows)),
                look.head[run] + start[1, look.windows],
            )
            if look.torso is not None:
                rotation.update_all(sums)
            else:
                windows = rotation.next(len(look.windows))
                np.testing.assert_array_equal(windows.numpy(), look.windows)
                rotation.update(windows, sums)
            reading = make_small_reading(panel, rotation, baseline, step=number + 1)
            watches[run].check(reading, baseline.readings)
            for name, track in batched.readings.items():
                ours = reading.estimate(name)
                value = math.log(ours.value) if name == "tail_retention" else ours.value
                error = ours.standard_error / (ours.value if name == "tail_retention" else 1.0)
                assert track.values[number, run] == pytest.approx(value, abs=1e-9)
                assert track.errors[number, run] == pytest.approx(error, abs=1e-9)
                assert track.units[number] == pytest.approx(ours.units)
    for rule in rules:
        fired = [
            next((alert.step for alert in watch.alerts if alert.rule == str(rule)), NEVER)
            for watch in watches
        ]
        assert first_alarms(batched.readings[rule.reading], rule).tolist() == fired
    assert {rule for watch in watches for rule in (alert.rule for alert in watch.alerts)} == set(
        map(str, rules)
    )


@pytest.mark.parametrize("limit", LIMITS)
def test_healthy_runs_are_left_alone(healthy: Tracks, limit: float) -> None:
    assert healthy.readings["tail_retention"].values.shape == (LOOKS, HEALTHY_RUNS)
    assert_at_most_alpha(alarms(healthy, limit, ALPHA))


@pytest.mark.parametrize("rule", [LOST, GAP], ids=str)
def test_so_are_runs_that_stand_at_the_limit(at_the_limits: Tracks, rule: Threshold) -> None:
    assert_at_most_alpha(first_alarms(at_the_limits.readings[rule.reading], rule))


@pytest.mark.parametrize("rule", [LOST, GAP], ids=str)
def test_an_interval_for_one_look_would_not_do(at_the_limits: Tracks, rule: Threshold) -> None:
    """So this simulation can tell a guarantee from none."""
    track = at_the_limits.readings[rule.reading]
    assert share(first_alarms(track, rule, each_look_alone=True)) > 4 * ALPHA
    value_alone = Threshold(rule.reading, below=rule.below, above=rule.above, alpha=None)
    assert share(first_alarms(track, value_alone)) > 0.95


@pytest.mark.parametrize("law", ["rare gains", "rare losses"])
def test_documents_may_lean_to_one_side(law: Law) -> None:
    runs = read_runs(steady(**AT_BOTH_LIMITS), runs=LEANING_RUNS, law=law)
    for rule in (LOST, GAP):
        assert_at_most_alpha(first_alarms(runs.readings[rule.reading], rule))


def test_a_planted_loss_is_found(table: list[Row]) -> None:
    assert {(row.loss, row.over) for row in table} == {
        (loss, over) for loss in LOSSES for over in (SUDDEN, GRADUAL)
    }
    for row in table:
        assert row.passed <= row.rule.delay
        # What is nearer to its limit is found in fewer than half of the runs, on so many documents.
        if math.log(row.limit) - math.log1p(-row.loss) < 0.1:
            continue
        assert row.rule.delay < LOOKS
        # A sudden loss is told before the whole panel comes up, from a few windows at a time.
        if row.over == SUDDEN:
            assert row.rule.delay < FULL_EVERY
        # What certainty costs: a rule is later than the bare value, where that tells anything.
        assert math.isnan(row.value.delay) or row.value.delay <= row.rule.delay


def test_a_bare_value_at_a_close_limit_is_a_false_alarm(table: list[Row]) -> None:
    close = next(row for row in table if row.limit == max(LIMITS))
    assert close.value.false > 0.2
    assert close.rule.false <= ALPHA


def test_early_stopping_does_not_see_it(table: list[Row]) -> None:
    for row in table:
        # The usual patience stops runs that are well; so it says nothing about those that are not.
        assert row.usual_stopping.false > 0.5
        assert row.tuned_stopping.false <= ALPHA
        if row.head_gains:
            assert row.tuned_stopping.delay == NEVER
        else:
            assert row.rule.delay < row.tuned_stopping.delay


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_early_stopping_counts_as_a_loop_does(patience: int) -> None:
    losses = np.random.default_rng(0).normal(size=(30, 20)) + np.linspace(1, 0, 30)[:, None]
    expected = []
    for run in losses.T:
        best, waited, stop = run[0], 0, NEVER
        for evaluation, loss in enumerate(run):
            if evaluation == 0:
                continue
            if loss < best:
                best, waited = loss, 0
            else:
                waited += 1
            if waited == patience:
                stop = evaluation * FULL_EVERY + 1
                break
        expected.append(stop)
    assert first_stops(losses, patience=patience).tolist() == expected
