"""Trials whose outcome is written down, for the books that are kept of them."""

from collections.abc import Callable, Mapping

import numpy as np

from collapse_guard.finder.rounds import Rounds
from collapse_guard.model.decoding import Decoding
from collapse_guard.statistics.estimates import Estimate, document_mean

DOCUMENTS = 12


def loss_of(value: float, *, spread: float = 0.0, seed: int = 0) -> Estimate:
    """A mean over documents, whose spread is shared by all of one seed."""
    noise = np.random.default_rng(seed).standard_normal(DOCUMENTS)
    return document_mean(value + spread * (noise - noise.mean()))


class Scripted:
    """Trials by a table, on a clock of their own.

    Args:
        values: The loss of each candidate at its last step.
        goes_on: Whether trials go on from where they stopped.
        step_seconds: What a step takes.
        scoring_seconds: What scoring takes.
        early: What is added to the loss of a candidate after fewer steps than `full`.
        bursting: Candidates whose training does not stay finite.

    Attributes:
        asked: Each trial that was asked for, in order.
        steps: Steps that they took together.
        now: What the clock says.
    """

    def __init__(
        self,
        values: Callable[[Decoding], float],
        *,
        goes_on: bool = True,
        step_seconds: float = 1.0,
        scoring_seconds: float = 0.0,
        early: Mapping[Decoding, float] | None = None,
        full: int = 24,
        bursting: tuple[Decoding, ...] = (),
    ) -> None:
        self._values, self._goes_on = values, goes_on
        self._costs = step_seconds, scoring_seconds
        self._early, self._full, self._bursting = early or {}, full, bursting
        self._stopped: dict[Decoding, int] = {}
        self.asked: list[tuple[Decoding, int]] = []
        self.steps, self.now = 0, 100.0

    def __call__(self, decoding: Decoding, steps: int) -> Estimate | None:
        self.asked.append((decoding, steps))
        done = self._stopped.get(decoding, 0) if self._goes_on else 0
        done = done if done <= steps else 0
        self._stopped[decoding] = steps
        self.steps += steps - done
        a_step, scoring = self._costs
        self.now += a_step * (steps - done) + scoring
        if decoding in self._bursting:
            return None
        value = self._values(decoding)
        return loss_of(value + self._early.get(decoding, 0.0) * (steps < self._full))

    def rounds(self, *, max_seconds: float | None = None) -> Rounds:
        return Rounds(
            self,
            clock=lambda: self.now,
            goes_on=lambda: self._goes_on,
            max_seconds=max_seconds,
        )
