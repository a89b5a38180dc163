"""Successive halving: many candidates a few steps each, and ever fewer of them ever further.

Karnin, Koren and Somekh 2013 ("Almost optimal exploration in multi-armed bandits", ICML) and
Jamieson and Talwalkar 2016 (arXiv 1502.07943). Here one candidate, plain text, is never left out:
what is said of all others in the end is said in comparison with it.
"""

import math
from collections.abc import Iterator, Sequence

from collapse_guard.errors import ScoringError, bad_argument
from collapse_guard.finder.rounds import Rounds, steps_between
from collapse_guard.model.decoding import PLAIN, Decoding

FEWEST = 3
"""Candidates that any round leaves; with plain text beside them, those tried in any case."""

SHORTEST = 4
"""Steps to which a limit of time may bring the longest trials down."""

SHARES = (0.25, 0.5, 1.0)
"""How many of all steps a trial has done by the end of each round."""

EXTRA_TRIALS = 3
"""Trials through all rounds that looking for a temperature between the candidates may ask for."""


def halve(rounds: Rounds, candidates: Sequence[Decoding], *, steps: int) -> list[Decoding]:
    """Run the rounds.

    Each round leaves the better half of its candidates, at least `FEWEST`, and plain text. Where
    the time is limited, the first trial tells how many candidates and steps fit into it: the last
    of the candidates are left out first, up to a half, then steps, and then more of both. Later
    rounds leave fewer candidates where trials take longer than that one told.

    Args:
        rounds: Runs the trials, and keeps what they give.
        candidates: Plain text first, the others in order of importance.
        steps: Of the longest trials, at least 1.

    Returns:
        The candidates that were tried.

    Raises:
        ArgumentError: The time does not suffice for the least.
        ScoringError: Training on the rows as plain text does not stay finite.
    """
    rounds.budgets = budgets_of(steps, len(candidates))
    _run_plain(rounds, rounds.budgets[0])
    tried = field = _fitting(rounds, candidates, steps)
    for number, budget in enumerate(rounds.budgets):
        _run_plain(rounds, budget)
        field = [each for each in field if rounds.run(each, budget)]
        to_come = rounds.budgets[number + 1 :]
        if to_come:
            field = _survivors(rounds, field, budget, to_come)
    return [each for each in tried if each in rounds.losses]


def budgets_of(steps: int, num_candidates: int) -> tuple[int, ...]:
    """Steps of a trial at the end of each round; few candidates have one round only.

    Example:
        >>> budgets_of(24, 20), budgets_of(24, 4), budgets_of(2, 20)
        ((6, 12, 24), (24,), (1, 2))
    """
    if num_candidates <= FEWEST + 1:
        return (steps,)
    return tuple(sorted({math.ceil(share * steps) for share in SHARES}))


def all_steps(num_candidates: int, done: int, budgets: Sequence[int], *, goes_on: bool) -> int:
    """Steps that rounds take together, at most, with what may come after them.

    Args:
        num_candidates: In the first of the rounds, plain text among them.
        done: Steps that each has done before.
        budgets: Steps that a trial has done by the end of each round.
        goes_on: Whether trials go on from where they stopped.
    """
    total = EXTRA_TRIALS * steps_between(0, budgets, goes_on=goes_on)
    for budget in budgets:
        total += num_candidates * steps_between(done, [budget], goes_on=goes_on)
        done, num_candidates = budget, min(num_candidates, _half(num_candidates) + 1)
    return total


def _run_plain(rounds: Rounds, steps: int) -> None:
    if not rounds.run(PLAIN, steps):
        raise ScoringError(
            "training on the rows as they are does not stay finite, so that nothing can be "
            "compared with it: give an `optimizer` with a lower learning rate, or `max_grad_norm`."
        )


def _half(num_candidates: int) -> int:
    return max(FEWEST, math.ceil(num_candidates / 2))


def _survivors(
    rounds: Rounds, field: Sequence[Decoding], budget: int, to_come: Sequence[int]
) -> list[Decoding]:
    ranking = rounds.ranking(budget, field)
    kept = most = min(_half(len(ranking)), len(ranking))
    while kept > FEWEST and not rounds.affords(
        all_steps(kept + 1, budget, to_come, goes_on=rounds.goes_on())
    ):
        kept -= 1
    if kept < most:
        names = _names(ranking[kept:most])
        rounds.notes.append(f"left out after {budget} steps for want of time: {names}")
    return ranking[:kept] + [each for each in ranking[kept:] if each == PLAIN]


def _fitting(rounds: Rounds, candidates: Sequence[Decoding], steps: int) -> list[Decoding]:
    """The candidates that there is time for; sets the budgets to what there is time for."""
    for num, budgets in _plans(len(candidates), steps):
        if rounds.affords(all_steps(num, 0, budgets, goes_on=rounds.goes_on())):
            break
    else:
        needed = rounds.seconds + rounds.foreseen(
            all_steps(num, 0, budgets, goes_on=rounds.goes_on())
        )
        raise bad_argument(
            "max_seconds",
            expected=f"at least {math.ceil(needed)} seconds, which {num} candidates of "
            f"{budgets[-1]} steps take here",
            given=rounds.max_seconds,
            hint="leave it out, or give fewer human documents or shorter rows",
        )
    if num < len(candidates):
        names = _names(candidates[num:])
        rounds.notes.append(f"not tried, to stay within {rounds.max_seconds:g} s: {names}")
    if budgets[-1] < steps:
        rounds.notes.append(
            f"at most {budgets[-1]} steps a trial in place of {steps}, to stay within "
            f"{rounds.max_seconds:g} s"
        )
    if budgets[0] != rounds.budgets[0]:
        # The first trial was for another number of steps than its like.
        rounds.losses.clear()
    rounds.budgets = budgets
    return list(candidates[:num])


def _plans(num_candidates: int, steps: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """How many candidates and which budgets, what is to be preferred first."""
    lengths = [steps]
    while lengths[-1] // 2 >= SHORTEST:
        lengths.append(lengths[-1] // 2)
    fewest = min(FEWEST + 1, num_candidates)
    for least in (max(math.ceil(num_candidates / 2), fewest), fewest):
        for length in lengths:
            for num in range(num_candidates, least - 1, -1):
                yield num, budgets_of(length, num)


def _names(decodings: Sequence[Decoding]) -> str:
    return "; ".join(map(str, decodings))
