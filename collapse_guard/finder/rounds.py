"""The book of a search: which candidate was scored after how many steps, and what it took."""

import math
from collections.abc import Callable, Sequence

from collapse_guard.distributed import of_first_process
from collapse_guard.errors import bad_argument
from collapse_guard.model.decoding import Decoding
from collapse_guard.statistics.estimates import Estimate

Take = Callable[[Decoding, int], Estimate | None]
"""Gives the human text's loss after so many steps under a candidate, or None if it diverges."""


class Rounds:
    """Runs trials, and keeps what they gave.

    Seconds are foreseen by what the steps so far have taken. The scoring that follows the steps of
    a trial counts as part of them: later trials have more steps to a scoring, so that they take
    less than is foreseen rather than more.

    Args:
        take: Runs a trial.
        goes_on: Says, once a trial has been run, whether each goes on from where it stopped last.
        clock: Seconds from any origin.
        max_seconds: What may be spent; None for any amount.
        progress: Is told of each trial in a sentence.

    Attributes:
        budgets: Steps of a trial at the end of each round, rising.
        losses: For each candidate, its loss by the number of steps after which it was scored.
        notes: What was left out and why, a sentence each.

    Raises:
        ArgumentError: `max_seconds` is not above 0.
    """

    def __init__(
        self,
        take: Take,
        *,
        clock: Callable[[], float],
        goes_on: Callable[[], bool] = lambda: False,
        max_seconds: float | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        if max_seconds is not None and not max_seconds > 0:
            raise bad_argument(
                "max_seconds",
                expected="a number above 0, or None",
                given=max_seconds,
                hint="60 is a minute",
            )
        self.budgets: tuple[int, ...] = ()
        self.losses: dict[Decoding, dict[int, Estimate]] = {}
        self.notes: list[str] = []
        self.max_seconds = max_seconds
        self.goes_on = goes_on
        self._take = take
        self._clock = clock
        self._progress = progress
        self._began = clock()
        self._steps, self._in_trials = 0, 0.0

    @property
    def seconds(self) -> float:
        """Since the beginning; on all processes what it is on the first."""
        return of_first_process([self._clock() - self._began])[0]

    def foreseen(self, steps: int) -> float:
        """Seconds that so many steps will take, with the scoring after them."""
        return steps * self._in_trials / max(self._steps, 1)

    def affords(self, steps: int) -> bool:
        """Whether there is time left for so many steps."""
        most = math.inf if self.max_seconds is None else self.max_seconds
        return self.seconds + self.foreseen(steps) <= most

    def run(self, decoding: Decoding, steps: int) -> bool:
        """Run a trial, unless it has been: False where it has not stayed finite."""
        own = self.losses.setdefault(decoding, {})
        if steps in own:
            return True
        began = self.seconds
        found = self._take(decoding, steps)
        seconds = self.seconds - began
        self._steps += steps - max(own, default=0) * self.goes_on()
        self._in_trials += seconds
        self._tell(decoding, steps, found, seconds)
        if found is None:
            del self.losses[decoding]
            self.notes.append(f"training matched to {decoding} did not stay finite")
            return False
        own[steps] = found
        return True

    def run_through(self, decoding: Decoding) -> bool:
        """Run a candidate's trials of all rounds."""
        return all(self.run(decoding, budget) for budget in self.budgets)

    def steps_of(self, decoding: Decoding) -> int:
        """Steps that `run_through` would take."""
        own = self.losses.get(decoding, {})
        return steps_between(max(own, default=0), self.budgets, goes_on=self.goes_on())

    def ranking(self, steps: int, among: Sequence[Decoding] | None = None) -> list[Decoding]:
        """The candidates that were scored after so many steps, the best first."""
        known = list(self.losses) if among is None else among
        scored = [each for each in known if steps in self.losses.get(each, {})]
        return sorted(scored, key=lambda each: self.losses[each][steps].value)

    def _tell(self, decoding: Decoding, steps: int, found: Estimate | None, seconds: float) -> None:
        if self._progress is not None:
            result = "not finite" if found is None else f"human text {found.value:.4f} nats a token"
            self._progress(f"{decoding}, {steps} steps: {result} ({seconds:.1f} s)")


def steps_between(done: int, budgets: Sequence[int], *, goes_on: bool) -> int:
    """Steps that a trial takes from `done` on to be scored after each of some numbers of steps."""
    total = 0
    for budget in budgets:
        if budget > done:
            total += budget - done if goes_on else budget
            done = budget
    return total
