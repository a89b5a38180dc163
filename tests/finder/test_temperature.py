"""The temperature between those of the grid."""

import math

import pytest
from hypothesis import given, strategies as st

from collapse_guard.finder.candidates import USUAL
from collapse_guard.finder.halving import halve
from collapse_guard.finder.rounds import Rounds
from collapse_guard.finder.temperature import lowest_of_parabola, refine
from collapse_guard.model.decoding import PLAIN, Decoding
from tests.finder.scripted import Scripted


def bowl(lowest: float, *, depth: float = 4.0, cut: float = 9.0):  # type: ignore[no-untyped-def]
    """Losses that are a parabola in log T, and something else for samplers that cut."""
    return lambda each: cut if each.cuts else depth + math.log(each.temperature / lowest) ** 2


def search(trials: Scripted, *, max_seconds: float | None = None) -> Rounds:
    rounds = trials.rounds(max_seconds=max_seconds)
    refine(rounds, halve(rounds, list(USUAL), steps=24))
    return rounds


@given(
    lowest=st.floats(0.55, 1.05), curvature=st.floats(0.01, 100.0), bottom=st.floats(-10.0, 10.0)
)
def test_the_lowest_point_of_a_parabola_is_found(
    lowest: float, curvature: float, bottom: float
) -> None:
    grid = [0.5, 0.8, 1.1]
    losses = [bottom + curvature * math.log(each / lowest) ** 2 for each in grid]
    found = lowest_of_parabola(grid, losses)
    assert found == pytest.approx(lowest, abs=0.0051)


def test_it_lies_between_the_outer_two_and_there_may_be_none() -> None:
    grid = [0.6, 0.7, 0.8]
    assert lowest_of_parabola(grid, [3.0, 2.0, 1.5]) == 0.8
    assert lowest_of_parabola(grid, [1.5, 2.0, 3.0]) == 0.6
    assert lowest_of_parabola(grid, [1.0, 2.0, 2.5]) is None
    assert lowest_of_parabola(grid, [1.0, 1.0, 1.0]) is None


@pytest.mark.parametrize("lowest", [0.57, 0.64, 0.73, 0.88, 0.95, 1.04])
def test_a_temperature_off_the_grid_is_found_and_was_tried(lowest: float) -> None:
    rounds = search(Scripted(bowl(lowest)))
    best = rounds.ranking(24)[0]
    assert best == Decoding(temperature=lowest)
    assert sorted(rounds.losses[best]) == [6, 12, 24]


def test_one_that_was_tried_is_not_tried_again() -> None:
    trials = Scripted(bowl(0.8))
    rounds = search(trials)
    assert rounds.ranking(24)[0] == Decoding(temperature=0.8)
    assert len(trials.asked) == len(set(trials.asked))
    assert all(each in USUAL for each in rounds.losses)


def test_a_neighbour_that_was_left_behind_is_made_up_for() -> None:
    # T .9 looks bad early on, though it is the second best in the end.
    trials = Scripted(bowl(0.84), early={Decoding(temperature=0.9): 50.0})
    rounds = search(trials)
    assert sorted(rounds.losses[Decoding(temperature=0.9)]) == [6, 12, 24]
    assert rounds.ranking(24)[0] == Decoding(temperature=0.84)


def test_a_neighbour_that_turns_out_better_becomes_the_middle() -> None:
    trials = Scripted(bowl(0.62), early={Decoding(temperature=0.6): 50.0})
    assert search(trials).ranking(24)[0] == Decoding(temperature=0.62)


def test_the_end_of_the_grid_is_told() -> None:
    rounds = search(Scripted(bowl(0.3)))
    assert rounds.ranking(24)[0] == Decoding(temperature=0.5)
    assert rounds.notes == [
        "T 0.5 is the lowest temperature that was tried, and the best: the right one may lie "
        "beyond it"
    ]
    assert "T 1.1 is the highest" in search(Scripted(bowl(3.0))).notes[0]


def test_where_a_cut_leads_no_temperature_is_sought() -> None:
    trials = Scripted(bowl(0.84, cut=1.0))
    rounds = search(trials)
    assert rounds.ranking(24)[0].cuts
    assert all(each in USUAL for each in rounds.losses)


def test_without_three_temperatures_there_is_no_parabola() -> None:
    candidates = [PLAIN, Decoding(temperature=0.8), Decoding(top_k=50)]
    rounds = Scripted(bowl(0.9)).rounds()
    refine(rounds, halve(rounds, candidates, steps=24))
    assert set(rounds.losses) == set(candidates)


def test_where_no_time_is_left_it_is_told_and_not_taken() -> None:
    trials = Scripted(bowl(0.84))
    rounds = trials.rounds(max_seconds=1e6)
    tried = halve(rounds, list(USUAL), steps=24)
    rounds.max_seconds = rounds.seconds + 1.0
    refine(rounds, tried)
    assert rounds.notes == ["no time was left to try T 0.84 to the end"]
    assert rounds.ranking(24)[0] == Decoding(temperature=0.8)
