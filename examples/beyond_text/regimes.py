"""What each generation learns from: a regime says what `MixGuard` is to mix.

A regime of your own is such a function, and a line in `REGIMES`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from collapse_guard import MixGuard, RareBoost, Source

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Lesson:
    """What a generation can learn from.

    Attributes:
        human: Rows of people's, with the class of each in a column.
        written: What each generation so far drew, the oldest first; at least one.
        class_column: Which column that is.
        floor: Of human rows, where a regime keeps one.
        boost: How many times as often human rows of the rarest class are shown there.
    """

    human: Rows
    written: Sequence[Rows]
    class_column: str
    floor: float
    boost: float

    @property
    def sources(self) -> list[Source]:
        """What was drawn, by generation."""
        return [
            Source(rows, f"generation {number}", "synthetic", generation=number)
            for number, rows in enumerate(self.written, 1)
        ]


@dataclass(frozen=True)
class Mix:
    """Arguments of `MixGuard`, by their names there."""

    human: Rows | None
    synthetic: Sequence[Source] | None
    human_fraction: float | Fraction
    boost: RareBoost | None = None

    def guard(self, *, batch_size: int, steps: int, seed: int) -> MixGuard:
        """The mix of so many steps.

        Args:
            batch_size: Rows of a step, in each of which the floor holds.
            steps: How many.
            seed: Of the order.
        """
        slots = steps * batch_size
        return MixGuard(
            self.human,
            self.synthetic,
            human_fraction=self.human_fraction,
            boost=self.boost,
            block_size=batch_size,
            length=slots,
            # A few hundred images are shown dozens of times.
            max_repeats=slots,
            seed=seed,
        )


def human(lesson: Lesson) -> Mix:
    """People's rows again: what training on does by itself."""
    return Mix(lesson.human, None, 1.0)


def replace(lesson: Lesson) -> Mix:
    """What the last generation drew, and nothing else."""
    return Mix(None, lesson.sources[-1:], 0.0)


def accumulate(lesson: Lesson) -> Mix:
    """People's rows and all that was ever drawn, in equal parts (arXiv 2404.01413)."""
    return Mix(lesson.human, lesson.sources, Fraction(1, len(lesson.written) + 1))


def mixguard(lesson: Lesson) -> Mix:
    """A floor of people's rows, those of rare classes more often, beside the last generation's."""
    boost = RareBoost(lesson.boost, by=lesson.class_column)
    return Mix(lesson.human, lesson.sources[-1:], lesson.floor, boost)


REGIMES: dict[str, Callable[[Lesson], Mix]] = {
    "human": human,
    "replace": replace,
    "accumulate": accumulate,
    "mixguard": mixguard,
}
"""Every regime, by its name."""
