"""What each generation learns from: the laboratory's recipes, and one that knows rare classes.

A regime of your own is such a function, and a line in `REGIMES`.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collapse_guard import MixGuard, RareBoost
from collapse_guard.examples.laboratory.regimes import (
    Lesson as AnyLesson,
    Recipe,
    accumulate,
    guard,
    human,
    mix,
    replace,
)

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Lesson(AnyLesson):
    """What a generation can learn from: rows with the class of each in a column.

    Attributes:
        class_column: Which column that is.
        floor: Of human rows, where a regime keeps one.
        boost: How many times as often human rows of the rarest class are shown there.
    """

    class_column: str
    floor: float
    boost: float


def mixed(recipe: Recipe, *, batch_size: int, steps: int, seed: int) -> MixGuard:
    """The rows of so many steps, however many the recipe asks for.

    Args:
        recipe: Which rows.
        batch_size: Rows of a step, in each of which the floor holds.
        steps: How many.
        seed: Of the order.
    """
    slots = steps * batch_size
    # A few hundred images are shown dozens of times.
    return guard(recipe, block_size=batch_size, length=slots, max_repeats=slots, seed=seed)


def mixguard(lesson: Lesson) -> Recipe:
    """A floor of people's rows, those of rare classes more often, beside the last generation's."""
    boost = RareBoost(lesson.boost, by=lesson.class_column)
    return dataclasses.replace(mix(lesson.floor)(lesson), boost=boost)


REGIMES: dict[str, Callable[[Lesson], Recipe]] = {
    "human": human,
    "replace": replace,
    "accumulate": accumulate,
    "mixguard": mixguard,
}
"""Every regime, by its name."""
