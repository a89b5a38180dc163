"""A run is compared with a control run at equal steps, document by document."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from collapse_guard import ArgumentError, CollapseMonitor, EveryNSteps, Threshold
from collapse_guard.alerts.control_rules import control_rules
from collapse_guard.monitor.control import Control
from collapse_guard.monitor.track import Track
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.panel_sums import BandSums
from collapse_guard.readings.registry import READINGS, reading_names
from collapse_guard.readings.take import take_readings
from tests.paces import Scripted
from tests.tiny import BRIEF, perturb, tiny_gpt2, tiny_panel

COMPARED = reading_names(needs="control")
PANEL = tiny_panel(documents=12)


def monitor(**arguments: Any) -> CollapseMonitor:
    settings = {"pace": EveryNSteps(1), "rules_wait": False, "sampling": BRIEF, **arguments}
    return CollapseMonitor(settings.pop("panel", PANEL), **settings)


def run(watching: CollapseMonitor, steps: int, *, every: int = 1) -> CollapseMonitor:
    """One that drifts as all such runs do, looked at every so many steps."""
    model = tiny_gpt2()
    watching.start(model)
    for step in range(1, steps + 1):
        perturb(model, 0.02, seed=step)
        if step % every == 0:
            watching.look(model, step)
    return watching


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("control") / "human.npz"
    run(monitor(), 6).save_track(path)
    return path


def test_a_run_that_is_its_own_control_has_lost_nothing_and_that_is_sure(control: Path) -> None:
    same = run(monitor(control=control), 6)
    assert len(same.history) == 7
    for look in same.history:
        assert [look[name] for name in COMPARED] == [1.0, 1.0, 0.0]
        assert [look.standard_errors[name] for name in COMPARED] == [0.0, 0.0, 0.0]
    # Though it has moved from its start.
    assert abs(same.history[-1]["tail_retention"] - 1.0) > 0.01
    assert not any("_vs_control" in alert.rule for alert in same.alerts)


def test_readings_are_the_pairs_at_that_step(control: Path) -> None:
    track, other, model = Track.load(control), monitor(control=control), tiny_gpt2()
    other.start(model)
    perturb(model, 0.1, seed=77)
    look = other.look(model, 4)
    there, mine = track.at(4), other.track.at(4)
    assert there is not None
    assert mine is not None
    owners, gains = PANEL.document_ids.numpy(), []
    for band in ("tail", "head"):
        moved = np.subtract(getattr(mine, f"{band}_logprob"), getattr(there, f"{band}_logprob"))
        positions = np.bincount(owners, PANEL.position_counts[band])
        gains.append((np.bincount(owners, moved) / positions)[positions > 0])
    tail, head = gains
    expected = [math.exp(tail.mean()), math.exp(head.mean()), head.mean() - tail.mean()]
    assert [look[name] for name in COMPARED] == pytest.approx(expected, rel=1e-9)
    error = tail.std(ddof=1) / math.sqrt(len(tail))
    assert look.standard_errors[COMPARED[0]] == pytest.approx(expected[0] * error, rel=1e-9)


def test_what_both_lose_is_no_loss_and_what_one_loses_is_told(control: Path) -> None:
    """The tail of a run falls by a third more than its control's, at equal steps."""
    rules = [Threshold("tail_retention_vs_control", below=0.9)]
    panel = tiny_panel(documents=40)
    random, tail = np.random.default_rng(0), panel.position_counts["tail"]
    base = random.normal(-300.0, 50.0, len(panel))

    def losing(nats: float, seed: int) -> Track:
        spread = np.random.default_rng(seed).normal(0.0, 0.1, panel.num_documents)
        by_window, track = spread[panel.document_ids.numpy()], Track(panel.fingerprint)
        for step in range(0, 101, 10):
            lost = tail * (nats + by_window) * step / 100
            track.add(step, base - lost, base)
        return track

    for extra, alerts in ((0.0, 0), (0.4, 1)):
        watching = monitor(panel=panel, control=losing(0.5, seed=1), rules=rules)
        watching.start(tiny_gpt2())
        mine = losing(0.5 + extra, seed=2)
        for step in range(5, 101, 5):
            look = held_against(watching, mine, step)
        assert look["tail_retention_vs_control"] == pytest.approx(math.exp(-extra), rel=0.1)
        assert look["tail_retention"] < 0.7
        assert len(watching.alerts) == alerts


def held_against(watching: CollapseMonitor, mine: Track, step: int) -> Any:
    """A look at a model that gives what a track says; against a start that gave step 0's."""
    inner, there, at_start = watching._run, mine.at(step), mine.at(0)
    assert there is not None
    assert at_start is not None
    assert inner.control is not None
    zeros = np.zeros(len(there.tail_logprob))
    sums = BandSums(np.array(there.tail_logprob), zeros, np.array(there.head_logprob))
    evidence = Evidence(
        torch.nn.Identity(),
        watching.panel,
        step,
        sums,
        at_start,
        control=inner.control.at(step),
    )
    names = ("tail_retention", *COMPARED)
    reading = take_readings([READINGS[name] for name in names], evidence)
    inner.alarms.check(reading, at_start.readings)
    return reading


def test_small_looks_do_not_read_it(control: Path) -> None:
    watching, model = monitor(control=control, pace=Scripted(3)), tiny_gpt2()
    watching.start(model)
    perturb(model, 0.05)
    look = watching.observe(model, 1)
    assert look
    assert not set(COMPARED) & set(look)


def test_past_its_end_there_is_no_value_which_is_told_once(
    control: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = [Threshold("tail_retention_vs_control", above=0.0, alpha=None)]
    watching = run(monitor(control=control, rules=rules), 10)
    values = {look.step: look[COMPARED[0]] for look in watching.history}
    assert [step for step, value in values.items() if math.isnan(value)] == [8, 9, 10]
    assert caplog.text.count("the control run was looked at from step 0 to 6: at step 8") == 1
    # A rule on what has no value is left as it is.
    assert [alert.step for alert in watching.alerts] == [1]


def test_a_monitor_takes_its_rules_beside_the_usual_ones(control: Path) -> None:
    usual, mine = monitor().rules, monitor(control=control).rules
    assert mine == (*usual, *control_rules())
    assert set(COMPARED) <= set(monitor(control=control).reading_names)
    assert not set(COMPARED) & set(monitor().reading_names)
    assert monitor(control=control, readings=["perplexity"]).rules == ()


def test_a_live_track_is_as_good_as_its_file(control: Path) -> None:
    first = run(monitor(), 6)
    assert first.track.digest == Track.load(control).digest
    again = run(monitor(control=first.track), 3)
    assert again.history[-1][COMPARED[0]] == 1.0


def test_what_cannot_be_compared_with_is_refused(control: Path, tmp_path: Path) -> None:
    other = tiny_panel(documents=5)
    both = f"{other.fingerprint}.*{PANEL.fingerprint}"
    for given, message in (
        (str(control), f"this panel .{both}"),
        (Track.load(control), f"this panel .{both}"),
        (Track(other.fingerprint), "at least one look"),
        (monitor(), "a Track, the path of one"),
        (tmp_path / "none.npz", "a file that CollapseMonitor.save_track wrote"),
    ):
        with pytest.raises(ArgumentError, match=f"`control` expected .*{message}"):
            monitor(panel=other, control=given)


def test_a_resumed_run_goes_on_with_control_and_track(control: Path, tmp_path: Path) -> None:
    whole = run(monitor(control=control), 5)
    half = run(monitor(control=control), 3)
    resumed, model = monitor(control=control), tiny_gpt2()
    resumed.load_state_dict(json.loads(json.dumps(half.state_dict())))
    for step in range(1, 6):
        perturb(model, 0.02, seed=step)
        if step > 3:
            assert resumed.look(model, step) == whole.history[step]
    assert resumed.track.digest == whole.track.digest
    resumed.save_track(tmp_path / "resumed.npz")
    assert Track.load(tmp_path / "resumed.npz").steps == tuple(range(6))


def test_a_run_that_begins_again_has_a_track_of_its_own(control: Path) -> None:
    watching = run(monitor(), 4)
    before = watching.track
    run(watching, 2)
    assert (before.steps, watching.track.steps) == ((0, 1, 2, 3, 4), (0, 1, 2))


@pytest.mark.parametrize("differing", [None, 0, 1])
def test_processes_with_unlike_tracks_are_told_before_they_compare(
    differing: int | None, control: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which half of the digest differs makes no difference, nor in which direction."""
    asked = []

    def largest(numbers: list[float]) -> list[float]:
        asked.append(numbers)
        return [number + (place == differing) for place, number in enumerate(numbers)]

    monkeypatch.setattr("collapse_guard.monitor.control.largest", largest)
    compared = Control(Track.load(control), across_processes=True)
    if differing is not None:
        with pytest.raises(ArgumentError, match="`control` expected the same track on every proc"):
            compared.at(3)
        return
    assert compared.at(3) == compared.at(3) == Track.load(control).at(3)
    # Once, and with numbers that other tracks do not have.
    ((one, two, *negative),) = asked
    assert negative == [-one, -two]
    assert one != two
    Control(Track.load(control), across_processes=False).at(3)
    assert len(asked) == 1
