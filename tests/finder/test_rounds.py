"""The book of a search."""

import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.finder.rounds import Rounds, steps_between
from collapse_guard.model.decoding import PLAIN, Decoding
from tests.finder.scripted import Scripted, loss_of

COLD, COLDER = Decoding(temperature=0.8), Decoding(temperature=0.6)


def test_each_trial_is_run_once_and_its_loss_kept() -> None:
    trials = Scripted(lambda each: each.temperature)
    rounds = trials.rounds()
    rounds.budgets = (6, 12)
    assert rounds.run(COLD, 6)
    assert rounds.run_through(COLD)
    assert rounds.run_through(PLAIN)
    assert trials.asked == [(COLD, 6), (COLD, 12), (PLAIN, 6), (PLAIN, 12)]
    assert {each: sorted(own) for each, own in rounds.losses.items()} == {
        COLD: [6, 12],
        PLAIN: [6, 12],
    }
    assert rounds.ranking(12) == [COLD, PLAIN]
    assert rounds.ranking(12, [PLAIN, COLDER]) == [PLAIN]
    assert rounds.ranking(24) == []


def test_one_that_bursts_is_left_out_and_noted() -> None:
    rounds = Scripted(lambda _: 1.0, bursting=(COLD,)).rounds()
    assert not rounds.run(COLD, 6)
    assert rounds.losses == {}
    assert rounds.notes == ["training matched to T 0.8 did not stay finite"]


@pytest.mark.parametrize("goes_on", [True, False])
def test_seconds_are_foreseen_by_what_steps_have_taken(goes_on: bool) -> None:
    trials = Scripted(lambda _: 1.0, goes_on=goes_on, step_seconds=2.0, scoring_seconds=3.0)
    rounds = trials.rounds(max_seconds=100.0)
    assert rounds.seconds == 0.0
    rounds.run(PLAIN, 6)
    assert rounds.seconds == 15.0
    assert rounds.foreseen(12) == pytest.approx(12 * 15 / 6)
    rounds.run(PLAIN, 12)
    took, steps = (30.0, 12) if goes_on else (42.0, 18)
    assert rounds.seconds == took
    assert trials.steps == steps
    left = (100.0 - took) / (took / steps)
    assert rounds.affords(int(left))
    assert not rounds.affords(int(left) + 1)


@pytest.mark.parametrize(
    ("done", "goes_on", "expected"), [(0, True, 24), (0, False, 42), (6, True, 18), (6, False, 36)]
)
def test_steps_to_come(done: int, goes_on: bool, expected: int) -> None:
    assert steps_between(done, (6, 12, 24), goes_on=goes_on) == expected
    rounds = Scripted(lambda _: 1.0, goes_on=goes_on).rounds()
    rounds.budgets = (6, 12, 24)
    if done:
        rounds.run(COLD, done)
    assert rounds.steps_of(COLD) == expected


def test_each_trial_is_told() -> None:
    told: list[str] = []
    rounds = Rounds(
        lambda decoding, _: None if decoding == COLD else loss_of(4.5),
        clock=lambda: 0.0,
        progress=told.append,
    )
    rounds.run(PLAIN, 6)
    rounds.run(COLD, 6)
    assert told == [
        "T 1, 6 steps: human text 4.5000 nats a token (0.0 s)",
        "T 0.8, 6 steps: not finite (0.0 s)",
    ]


@pytest.mark.parametrize("most", [0.0, -1.0, float("nan")])
def test_a_limit_that_is_none_is_refused(most: float) -> None:
    with pytest.raises(ArgumentError, match="`max_seconds` expected a number above 0"):
        Scripted(lambda _: 1.0).rounds(max_seconds=most)
