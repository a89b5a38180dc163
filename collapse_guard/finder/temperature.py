"""A temperature between those that were tried, where nothing but a temperature leads."""

from collections.abc import Sequence

import numpy as np

from collapse_guard.finder.halving import EXTRA_TRIALS
from collapse_guard.finder.rounds import Rounds
from collapse_guard.finder.search import compared
from collapse_guard.model.decoding import Decoding


def refine(rounds: Rounds, candidates: Sequence[Decoding]) -> None:
    """Try the temperature at the minimum of a parabola in log T, to a hundredth.

    The parabola goes through the best temperature and its neighbours among the candidates. Where a
    neighbour was left behind in an earlier round, its trials are made up for. Nothing is done where
    a sampler that cuts leads and is told apart from all that are temperatures alone.

    Args:
        rounds: Runs the trials; its rounds are over.
        candidates: Those that were tried.
    """
    alone = [each for each in candidates if not each.cuts]
    grid = sorted(alone, key=lambda each: each.temperature)
    near = _bracket(rounds, grid) if len(grid) >= 3 else None
    if near is None:
        return
    steps = rounds.budgets[-1]
    losses = [rounds.losses[each][steps].value for each in near]
    lowest = lowest_of_parabola([each.temperature for each in near], losses)
    ends = {grid[0].temperature: "lowest", grid[-1].temperature: "highest"}
    if lowest in ends:
        rounds.notes.append(
            f"T {lowest:g} is the {ends[lowest]} temperature that was tried, and the best: the "
            f"right one may lie beyond it"
        )
    if lowest is not None:
        _run(rounds, Decoding(temperature=lowest))


def lowest_of_parabola(temperatures: Sequence[float], losses: Sequence[float]) -> float | None:
    """Where the parabola in log T through three points is lowest, between the outer two.

    Args:
        temperatures: Three, rising.
        losses: At each of them.

    Returns:
        To a hundredth; None where the parabola has no lowest point.

    Example:
        >>> lowest_of_parabola([0.5, 1.0, 2.0], [1.0, 0.0, 1.0])
        1.0
    """
    # By divided differences: equal losses have none, where a fit leaves some to rounding.
    first, middle, last = np.log(temperatures).tolist()
    slope = (losses[1] - losses[0]) / (middle - first)
    curvature = ((losses[2] - losses[1]) / (last - middle) - slope) / (last - first)
    if not curvature > 0:
        return None
    lowest = float(np.exp((first + middle) / 2 - slope / (2 * curvature)))
    return round(min(max(lowest, temperatures[0]), temperatures[-1]), 2)


def _bracket(rounds: Rounds, grid: Sequence[Decoding]) -> list[Decoding] | None:
    """The best temperature and those beside it, all of them scored; None where a cut leads."""
    steps = rounds.budgets[-1]
    for _ in range(EXTRA_TRIALS):
        best, leader = rounds.ranking(steps)[0], rounds.ranking(steps, grid)[0]
        if compared(rounds.losses[leader][steps], rounds.losses[best][steps]).told_apart:
            return None
        first = min(max(grid.index(leader) - 1, 0), len(grid) - 3)
        near = list(grid[first : first + 3])
        missing = [each for each in near if steps not in rounds.losses.get(each, {})]
        if not missing:
            return near
        if not _run(rounds, missing[0]):
            return None
    return None


def _run(rounds: Rounds, decoding: Decoding) -> bool:
    if rounds.affords(rounds.steps_of(decoding)):
        return rounds.run_through(decoding)
    rounds.notes.append(f"no time was left to try {decoding} to the end")
    return False
