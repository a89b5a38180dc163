"""What the generations train on: one regime for each recipe.

A regime of your own is a function and a line in `REGIMES`, here or in a program that runs the
example:

    REGIMES["mine"] = Regime("half and half", "Every generation ...", "#CC79A7", half_and_half)
    run(parse(["--regimes", "mine"]))
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from collapse_guard import Decoding, HumanReference, RareBoost
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
        held_out: Human rows that are neither trained on nor looked at, of the same width, by which
            an unknown decoding is found; None where there are none.
    """

    human: "Rows"
    synthetic: "Rows | None"
    reference: HumanReference
    seed: int
    held_out: "Rows | None" = None


@dataclass(frozen=True)
class Recipe:
    """What a generation is trained on, as `MixGuard` takes it.

    Block, length and seed are the same in every regime, so that all train on equally many rows.

    Attributes:
        human: Human rows, int64 of shape (rows, window); None where there are to be none.
        synthetic: Synthetic rows, likewise.
        human_fraction: The floor of human rows.
        boost: Shows rare human rows more often.
        decoding: With what the synthetic rows were drawn, where the loss is to be matched to it;
            "find" to have it found first; None for the plain loss.
    """

    human: "Rows | None"
    synthetic: "Rows | None"
    human_fraction: HumanFraction
    boost: RareBoost | None = None
    decoding: Decoding | Literal["find"] | None = None


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


def _guarded(lesson: Lesson, settings: "Settings") -> Recipe:
    return _matched(_floor_of_human_rows(lesson, settings), settings)


def _matched_rows(lesson: Lesson, settings: "Settings") -> Recipe:
    return _matched(_synthetic_rows(lesson, settings), settings)


def _rows_of_an_unknown_sampler(lesson: Lesson, settings: "Settings") -> Recipe:
    return replace(_synthetic_rows(lesson, settings), decoding="find")


def _matched(recipe: Recipe, settings: "Settings") -> Recipe:
    return replace(recipe, decoding=settings.decoding)


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
    "guarded": Regime(
        "its own text + MixGuard + matched loss",
        "As before, and the loss takes back what the sampler did to the tokens that it drew.",
        "#CC79A7",
        _guarded,
    ),
    "matched": Regime(
        "its own text only + matched loss",
        "Every generation trains on what the last one wrote, and on nothing else, with a loss that "
        "takes back what the sampler did to it.",
        "#56B4E9",
        _matched_rows,
    ),
    "found": Regime(
        "its own text only + a sampler that was found",
        "As before, but nobody says how the last one wrote: that is found anew in each generation, "
        "by the likelihood of some human text.",
        "#E69F00",
        _rows_of_an_unknown_sampler,
    ),
}
"""Every regime, by the name that `--regimes` takes."""

HEADLINE = ("human", "replace", "mixguard", "guarded")
"""Those of a run that names none: it collapses, a floor keeps a part, both keep all."""
