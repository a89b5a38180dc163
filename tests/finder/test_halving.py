"""Successive halving, its books and its limit of time, on trials whose outcome is written down."""

import math

import pytest
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError, ScoringError
from collapse_guard.finder.candidates import USUAL
from collapse_guard.finder.halving import FEWEST, SHORTEST, all_steps, budgets_of, halve
from collapse_guard.model.decoding import PLAIN, Decoding
from tests.finder.scripted import Scripted

GRID = [PLAIN, *(Decoding(temperature=0.5 + number / 100) for number in range(40))]


def worth(*best: Decoding) -> dict[Decoding, float]:
    """Losses: those named are the best, in that order."""
    others = [each for each in USUAL if each not in best]
    return {each: 4.0 + number / 10 for number, each in enumerate([*best, *others])}


@given(num=st.integers(1, len(GRID)), steps=st.integers(1, 40), seed=st.integers(0, 9))
def test_the_books(num: int, steps: int, seed: int) -> None:
    candidates = GRID[:num]
    trials = Scripted(lambda each: math.sin(1e4 * each.temperature + seed))
    rounds = trials.rounds()
    tried = halve(rounds, candidates, steps=steps)
    assert tried == candidates
    assert rounds.budgets == budgets_of(steps, num)
    assert rounds.budgets[-1] == steps
    assert rounds.notes == []
    before = candidates
    for budget in rounds.budgets:
        at = [each for each, own in rounds.losses.items() if budget in own]
        assert PLAIN in at
        assert set(at) <= set(before)
        ranking = rounds.ranking(budget)
        assert sorted(ranking, key=GRID.index) == sorted(at, key=GRID.index)
        kept = min(max(FEWEST, math.ceil(len(at) / 2)), len(at))
        before = [*ranking[:kept], PLAIN]
        if budget < steps:
            later = [each for each, own in rounds.losses.items() if max(own) > budget]
            assert set(later) == set(before)
    # The best of a round is never left behind in it.
    best = rounds.ranking(rounds.budgets[0])[0]
    assert steps in rounds.losses[best]
    assert len(trials.asked) == len(set(trials.asked))
    assert trials.steps <= all_steps(num, 0, rounds.budgets, goes_on=True)


def test_few_candidates_are_all_tried_to_the_end() -> None:
    trials = Scripted(lambda _: 1.0)
    halve(trials.rounds(), list(USUAL[: FEWEST + 1]), steps=24)
    assert trials.asked == [(each, 24) for each in USUAL[: FEWEST + 1]]


def test_plain_text_is_carried_along_however_bad_it_is() -> None:
    values = {**worth(), PLAIN: 99.0}
    rounds = Scripted(values.__getitem__).rounds()
    halve(rounds, list(USUAL), steps=24)
    assert sorted(rounds.losses[PLAIN]) == [6, 12, 24]
    assert [sum(budget in own for own in rounds.losses.values()) for budget in (6, 12, 24)] == [
        len(USUAL),
        11,
        7,
    ]


def test_what_costs_are_foreseen_is_what_they_are_at_most() -> None:
    for goes_on in (True, False):
        trials = Scripted(worth(*USUAL[1:]).__getitem__, goes_on=goes_on)
        halve(trials.rounds(), list(USUAL), steps=24)
        without_extra = all_steps(20, 0, (6, 12, 24), goes_on=goes_on) - 3 * (24 if goes_on else 42)
        assert trials.steps == without_extra


@pytest.mark.parametrize("step_seconds", [0.1, 1.0])
@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("share", [2.0, 0.8, 0.5, 0.25])
def test_the_limit_of_time_is_kept_and_what_it_costs_is_told(
    step_seconds: float, goes_on: bool, share: float
) -> None:
    whole = all_steps(20, 0, (6, 12, 24), goes_on=goes_on) * step_seconds
    trials = Scripted(worth().__getitem__, goes_on=goes_on, step_seconds=step_seconds)
    rounds = trials.rounds(max_seconds=share * whole)
    tried = halve(rounds, list(USUAL), steps=24)
    assert rounds.seconds <= share * whole
    assert tried == list(USUAL[: len(tried)])
    assert len(tried) > FEWEST
    assert rounds.budgets[-1] >= SHORTEST
    left_out, fewer = len(tried) < len(USUAL), rounds.budgets[-1] < 24
    assert any("not tried" in note for note in rounds.notes) == left_out
    assert any("steps a trial in place of 24" in note for note in rounds.notes) == fewer
    assert (left_out or fewer) == (share < 1)
    for each in USUAL[len(tried) :]:
        assert str(each) in rounds.notes[0]
    assert all(sorted(own) == sorted(set(own) & set(rounds.budgets)) for own in
               rounds.losses.values())  # fmt: skip


def test_candidates_go_before_steps_and_then_both() -> None:
    def plan(share: float) -> tuple[int, int]:
        whole = all_steps(20, 0, (6, 12, 24), goes_on=True)
        rounds = Scripted(worth().__getitem__).rounds(max_seconds=share * whole)
        return len(halve(rounds, list(USUAL), steps=24)), rounds.budgets[-1]

    num, steps = plan(0.8)
    assert 10 <= num < 20
    assert steps == 24
    num, steps = plan(0.4)
    assert num >= 10
    assert steps == 12


def test_later_rounds_leave_fewer_where_trials_take_longer_than_the_first_told() -> None:
    class Slower(Scripted):
        def __call__(self, decoding: Decoding, steps: int):  # type: ignore[no-untyped-def]
            self._costs = (1.0 if decoding == PLAIN else 2.0), 0.0
            return super().__call__(decoding, steps)

    whole = all_steps(20, 0, (6, 12, 24), goes_on=True)
    trials = Slower(worth().__getitem__)
    rounds = trials.rounds(max_seconds=1.2 * whole)
    halve(rounds, list(USUAL), steps=24)
    (note,) = rounds.notes
    assert "left out after 6 steps for want of time" in note
    assert sorted(rounds.losses[PLAIN]) == [6, 12, 24]


def test_too_little_time_is_refused_with_what_is_needed() -> None:
    def tried(max_seconds: float) -> list[Decoding]:
        rounds = Scripted(worth().__getitem__).rounds(max_seconds=max_seconds)
        return halve(rounds, list(USUAL), steps=24)

    with pytest.raises(ArgumentError, match="`max_seconds` expected at least") as refused:
        tried(10.0)
    needed = int(str(refused.value).split("at least ")[1].split()[0])
    assert len(tried(needed)) == FEWEST + 1
    with pytest.raises(ArgumentError, match="max_seconds"):
        tried(needed - 1)


def test_candidates_that_burst_are_left_out() -> None:
    broken = USUAL[1:3]
    rounds = Scripted(worth().__getitem__, bursting=broken).rounds()
    assert halve(rounds, list(USUAL), steps=24) == [each for each in USUAL if each not in broken]
    assert len(rounds.notes) == 2


def test_plain_training_that_bursts_is_an_error() -> None:
    rounds = Scripted(lambda _: 1.0, bursting=(PLAIN,)).rounds()
    with pytest.raises(ScoringError, match="rows as they are does not stay finite"):
        halve(rounds, list(USUAL), steps=24)
