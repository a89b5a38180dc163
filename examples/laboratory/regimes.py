"""What each generation trains on: every regime is a function from a lesson to a recipe.

A regime of your own is such a function, and a line where it shall have a name:

    REGIMES["half"] = lambda lesson: Recipe(lesson.human, lesson.written[-1:], 0.5)

Recipes know no world: generations of language models are mixed by them too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from collapse_guard import Decoding, MixGuard, RareBoost, Source
from collapse_guard.mixing.floor import HumanFraction

_SHOWINGS = 16
"""How often a row is shown where a share of slots is to be a weight: then counts differ by less
than a sixteenth."""


@dataclass(frozen=True)
class Lesson:
    """What a generation can be trained on.

    Attributes:
        human: Fresh human rows, as a world or `MixGuard` has them.
        first: The human rows that the first generation was trained on.
        written: What each generation so far wrote, the oldest first; at least one.
    """

    human: Any
    first: Any
    written: Sequence[Any]

    @property
    def budget(self) -> int:
        """Rows that a generation writes."""
        return len(self.written[-1])


@dataclass(frozen=True)
class Recipe:
    """What a generation is trained on, as `MixGuard` takes it.

    Attributes:
        human: Human rows; None where there are to be none.
        written: Rows that generations wrote, the oldest first, which share the other slots equally.
        human_fraction: The floor of human rows.
        slots: Rows that are shown once in each pass; None for as many as a generation writes.
        boost: Shows rare human rows more often.
        decoding: With what written rows were drawn, where the loss is to be matched to it; "find"
            to have it found first; None for the plain loss.
        quality: One number for each row of `written`, where that is one set: how often it is shown.
        by_people: Share of the written tokens that people wrote, where human rows were edited.
    """

    human: Any | None
    written: Sequence[Any]
    human_fraction: HumanFraction
    slots: int | None = None
    boost: RareBoost | None = None
    decoding: Decoding | Literal["find"] | None = None
    quality: npt.NDArray[np.float64] | None = None
    by_people: float = 0.0


Regime = Callable[[Lesson], Recipe]


def guard(
    recipe: Recipe, *, block_size: int, length: int, max_repeats: int = 4, seed: int = 0
) -> MixGuard:
    """The rows of a recipe in one stream.

    Args:
        recipe: Rows and floor.
        block_size: As of `MixGuard`.
        length: Slots.
        max_repeats: As of `MixGuard`.
        seed: As of `MixGuard`.
    """
    newest = len(recipe.written)
    return MixGuard(
        recipe.human,
        [
            Source(
                each,
                "synthetic" if number == newest else f"synthetic, {newest - number} before",
                "synthetic",
                decoding=recipe.decoding,
                quality=recipe.quality,
            )
            for number, each in enumerate(recipe.written, 1)
        ]
        or None,
        human_fraction=recipe.human_fraction,
        boost=recipe.boost,
        block_size=block_size,
        length=length,
        max_repeats=max_repeats,
        seed=seed,
    )


def human(lesson: Lesson) -> Recipe:
    """Fresh human rows only: what ordinary training does."""
    return Recipe(lesson.human, (), 1.0, slots=len(lesson.human))


def replace(lesson: Lesson) -> Recipe:
    """What the last generation wrote, and nothing else."""
    return Recipe(None, lesson.written[-1:], 0.0)


def accumulate(lesson: Lesson) -> Recipe:
    """The first human rows and all that was ever written, each row once (arXiv 2404.01413)."""
    parts = len(lesson.written) + 1
    slots = parts * len(lesson.first)
    return Recipe(lesson.first, lesson.written, Fraction(1, parts), slots=slots)


def accumulate_subsample(lesson: Lesson) -> Recipe:
    """As many rows as a generation writes, in equal parts from all that `accumulate` has."""
    return Recipe(lesson.first, lesson.written, Fraction(1, len(lesson.written) + 1))


def mix(human_fraction: HumanFraction) -> Regime:
    """A floor of fresh human rows, and the rest from the last generation."""
    return lambda lesson: Recipe(lesson.human, lesson.written[-1:], human_fraction)


def weighted(human_fraction: HumanFraction) -> Regime:
    """All fresh human rows and all of the last generation's, with this weight on the human ones.

    Slots are so many that each row is shown several times, and a share of slots is a weight.
    """
    return lambda lesson: Recipe(
        lesson.human,
        lesson.written[-1:],
        human_fraction,
        slots=_SHOWINGS * (len(lesson.human) + lesson.budget),
    )


REGIMES: dict[str, Regime] = {
    "human": human,
    "replace": replace,
    "accumulate": accumulate,
    "accumulate_subsample": accumulate_subsample,
    "mix": mix(0.3),
    "golden": weighted("golden"),
}
"""Every regime, by its name; `mix` has 30% human rows, `golden` the golden-ratio weight."""
