import json
import math

import pytest
import torch

from collapse_guard.monitor.stopwatch import Stopwatch

CPU = torch.device("cpu")


class Clock:
    """Stands still but for what it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_training_is_what_lies_between_leaving_and_arriving() -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    assert watch.arrive() is None
    clock.now += 7
    assert watch.arrive() is None
    assert math.isnan(watch.overhead)
    watch.leave()
    clock.now += 3
    assert watch.arrive() == 3
    clock.now += 5
    watch.leave()
    clock.now += 1
    assert watch.arrive() == 1
    assert watch.trained == 4


def test_looks_are_timed_apart_also_those_that_fail() -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    watch.leave()
    clock.now += 8
    watch.arrive()
    with watch.looking(CPU) as seconds:
        assert seconds == []
        clock.now += 0.5
    assert seconds == [0.5]

    def failing_look() -> None:
        with watch.looking(CPU):
            clock.now += 1.5
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        failing_look()
    assert watch.looked == 2.0
    assert watch.trained == 8.0
    assert watch.overhead == 0.25


def test_a_pause_is_nobodys() -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    watch.leave()
    watch.pause()
    clock.now += 9
    assert watch.arrive() is None
    assert watch.trained == 0


def test_what_an_accelerator_still_has_to_do_counts_as_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    watch = Stopwatch(clock)

    def finish(device: torch.device) -> None:
        clock.now += 2

    monkeypatch.setattr(torch.cuda, "synchronize", finish)
    with watch.looking(torch.device("cuda")) as seconds:
        clock.now += 0.25
    assert (watch.trained, watch.looked, seconds) == (2.0, 0.25, [0.25])


def test_state_goes_on_after_json_but_the_time_until_then_is_nobodys() -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    watch.leave()
    clock.now += 4
    watch.arrive()
    with watch.looking(CPU):
        clock.now += 1
    watch.leave()
    resumed = Stopwatch(clock)
    resumed.leave()
    resumed.load_state_dict(json.loads(json.dumps(watch.state_dict())))
    clock.now += 1_000
    assert resumed.arrive() is None
    assert resumed.overhead == 0.25
    resumed.restart()
    assert (resumed.trained, resumed.looked) == (0.0, 0.0)
