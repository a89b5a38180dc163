"""What the generations train on: one regime for each recipe.

A regime of your own is a function and a line in `REGIMES`, here or in a program that runs the
example:

    REGIMES["mine"] = Regime("half and half", "Every generation ...", "#CC79A7", half_and_half)
    run(parse(["--regimes", "mine"]))
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collapse_guard import HumanReference, RareBoost
from collapse_guard.mixing.floor import HumanFraction

if TYPE_CHECKING:
    from collapse_guard.examples.recursive_finetune.human_text import Rows
    from collapse_guard.examples.recursive_finetune.settings import Settings


@dataclass(frozen=True)
class Lesson:
    """What a generation can be trained on.

    Attributes:
        human: Fresh human rows, int64 of shape (rows, window).
        synthetic: What the last generation wrote, of the same shape; None before there is one.
        reference: Says which human rows are rare.
        seed: Of everything random in it.
    """

    human: "Rows"
    synthetic: "Rows | None"
    reference: HumanReference
    seed: int


@dataclass(frozen=True)
class Recipe:
    """What a generation is trained on, as `MixGuard` takes it.

    Block, length and seed are the same in every regime, so that all train on equally many rows.

    Attributes:
        human: Human rows, int64 of shape (rows, window); None where there are to be none.
        synthetic: Synthetic rows, likewise.
        human_fraction: The floor of human rows.
        boost: Shows rare human rows more often.
    """

    human: "Rows | None"
    synthetic: "Rows | None"
    human_fraction: HumanFraction
    boost: RareBoost | None = None


@dataclass(frozen=True)
class Regime:
    """What every generation of a chain trains on.

    Attributes:
        title: For people.
        explanation: One sentence.
        color: In figures and in the report.
        recipe: Takes the lesson of a generation and the settings of the run.
    """

    title: str
    explanation: str
    color: str
    recipe: "Callable[[Lesson, Settings], Recipe]"


def _human_rows(lesson: Lesson, _: "Settings") -> Recipe:
    return Recipe(lesson.human, None, human_fraction=1.0)


def _synthetic_rows(lesson: Lesson, _: "Settings") -> Recipe:
    return Recipe(None, lesson.synthetic, human_fraction=0.0)


def _floor_of_human_rows(lesson: Lesson, settings: "Settings") -> Recipe:
    return Recipe(
        lesson.human,
        lesson.synthetic,
        human_fraction=settings.human_fraction,
        boost=RareBoost(settings.rare_boost, by=lesson.reference),
    )


REGIMES: dict[str, Regime] = {
    "human": Regime(
        "human text (control)",
        "Every generation trains on fresh human text: what ordinary fine-tuning does.",
        "#0072B2",
        _human_rows,
    ),
    "replace": Regime(
        "its own text only",
        "Every generation trains on what the last one wrote, and on nothing else.",
        "#D55E00",
        _synthetic_rows,
    ),
    "mixguard": Regime(
        "its own text + MixGuard",
        "As before, but MixGuard keeps a floor of human rows in every batch and shows rare "
        "ones more often.",
        "#009E73",
        _floor_of_human_rows,
    ),
}
"""Every regime, by the name that `--regimes` takes."""
