"""Every regime, by its name.

A regime of your own is a function and a line in `REGIMES`, here or in a program that runs the
example:

    REGIMES["mine"] = Regime("half and half", "Every generation ...", "#CC79A7", half_and_half)
    run(parse(["--regimes", "mine"]))
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from collapse_guard import RareBoost
from collapse_guard.examples.laboratory.regimes import (
    Recipe,
    Regime as AnyRegime,
    accumulate,
    accumulate_subsample,
    human,
    mix,
    replace as replace_rows,
)
from collapse_guard.examples.recursive_finetune.regimes.averaging import half_way_to_the_start
from collapse_guard.examples.recursive_finetune.regimes.editing import edited_human_rows
from collapse_guard.examples.recursive_finetune.regimes.losses import (
    anchored,
    rare_weighted,
    truncated_ce,
)
from collapse_guard.examples.recursive_finetune.regimes.regime import Lesson, Regime
from collapse_guard.examples.recursive_finetune.regimes.selection import (
    by_detector,
    likeliest_half,
    most_varied_half,
)

if TYPE_CHECKING:
    from collapse_guard.examples.recursive_finetune.settings import Settings

_Function = Callable[[Lesson, "Settings"], Recipe]


def _rows(regime: AnyRegime) -> _Function:
    """A regime of rows alone, which asks for no settings."""
    return lambda lesson, _: regime(lesson)


def _floor(lesson: Lesson, settings: "Settings") -> Recipe:
    return mix(settings.human_fraction)(lesson)


def _floor_with_rare_rows(lesson: Lesson, settings: "Settings") -> Recipe:
    boost = RareBoost(settings.rare_boost, by=lesson.reference)
    return replace(_floor(lesson, settings), boost=boost)


def _matched(rows: _Function) -> _Function:
    return lambda lesson, settings: replace(rows(lesson, settings), decoding=settings.decoding)


def _found(lesson: Lesson, _: "Settings") -> Recipe:
    return replace(replace_rows(lesson), decoding="find")


def _human_again(lesson: Lesson, settings: "Settings") -> Recipe:
    is_over = len(lesson.written) > settings.recover_after
    return (human if is_over else replace_rows)(lesson)


_BLUE, _RED, _GREEN, _PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
_SKY, _ORANGE, _YELLOW, _GREY = "#56B4E9", "#E69F00", "#B8A800", "#777777"

REGIMES: dict[str, Regime] = {
    "human": Regime(
        "human text (control)",
        "Every generation trains on fresh human text: what ordinary fine-tuning does.",
        _BLUE,
        _rows(human),
    ),
    "replace": Regime(
        "its own text only",
        "Every generation trains on what the last one wrote, and on nothing else.",
        _RED,
        _rows(replace_rows),
    ),
    "mixguard": Regime(
        "its own text + MixGuard",
        "As before, but MixGuard keeps a floor of human rows in every batch and shows rare "
        "ones more often.",
        _GREEN,
        _floor_with_rare_rows,
    ),
    "guarded": Regime(
        "its own text + MixGuard + matched loss",
        "As before, and the loss takes back what the sampler did to the tokens that it drew.",
        _PINK,
        _matched(_floor_with_rare_rows),
        is_matched=True,
    ),
    "matched": Regime(
        "its own text only + matched loss",
        "Every generation trains on what the last one wrote, and on nothing else, with a loss that "
        "takes back what the sampler did to it.",
        _SKY,
        _matched(_rows(replace_rows)),
        is_matched=True,
    ),
    "found": Regime(
        "its own text only + a sampler that was found",
        "As before, but nobody says how the last one wrote: that is found anew in each generation, "
        "by the likelihood of some human text.",
        _ORANGE,
        _found,
        is_matched=True,
    ),
    "mix": Regime(
        "its own text + a floor",
        "A floor of human rows in every batch, all shown equally often, and the plain loss.",
        _GREEN,
        _floor,
    ),
    "mix_matched": Regime(
        "its own text + a floor + matched loss",
        "As before, and the loss takes back what the sampler did to the tokens that it drew.",
        _PINK,
        _matched(_floor),
        is_matched=True,
    ),
    "golden": Regime(
        "its own text + the golden floor",
        "The golden-ratio weight as the floor (arXiv 2502.18049), and the plain loss.",
        _YELLOW,
        _rows(mix("golden")),
    ),
    "accumulate": Regime(
        "accumulated, growing",
        "The first human rows and all that generations wrote so far, each as often as another: "
        "every generation trains on more (arXiv 2404.01413).",
        _ORANGE,
        _rows(accumulate),
    ),
    "accumulate_subsample": Regime(
        "accumulated, fixed budget",
        "As before, in equal parts, but on no more rows than the other regimes.",
        _ORANGE,
        _rows(accumulate_subsample),
    ),
    "recover": Regime(
        "its own text, then human text",
        "The first generations train on what the last one wrote, later ones on human text: what "
        "comes back.",
        _BLUE,
        _human_again,
    ),
    "multi_model": Regime(
        "text of three models",
        "Three models are trained side by side, each of which wrote a third of the rows. Their "
        "first fine-tunings were on human rows of their own.",
        _GREY,
        _rows(replace_rows),
        writers=3,
    ),
    "filtered": Regime(
        "its own text, the likelier half",
        "A generation writes twice as much, and the half is kept that generation 0 finds likelier.",
        _GREY,
        likeliest_half,
    ),
    "filtered_detector": Regime(
        "its own text, weighted by a detector",
        "A generation writes twice as much, and rows are shown as often as a detector holds them "
        "for human ones (arXiv 2502.15654).",
        _GREY,
        by_detector,
    ),
    "filtered_diverse": Regime(
        "its own text, the most varied half",
        "A generation writes twice as much, and rows are kept that add most new pairs of tokens.",
        _GREY,
        most_varied_half,
    ),
    "edited": Regime(
        "edited human text",
        "Fresh human rows in which the last model draws anew the tokens that it is sure of "
        "(ToEdit, arXiv 2412.14689).",
        _SKY,
        edited_human_rows,
    ),
    "anchored": Regime(
        "a floor + anchored to the start",
        "A floor of human rows, on which the loss keeps the model near generation 0.",
        _PINK,
        _floor,
        loss=anchored,
        has_own_loss=True,
    ),
    "truncated_ce": Regime(
        "a floor + truncated cross-entropy",
        "A floor of human rows, and no loss on tokens that the model is sure of "
        "(ForTIFAI, arXiv 2509.08972).",
        _YELLOW,
        _floor,
        loss=truncated_ce,
        has_own_loss=True,
    ),
    "rare_weighted": Regime(
        "a floor + heavier rare tokens",
        "A floor of human rows, and more loss on rare tokens.",
        _YELLOW,
        _floor,
        loss=rare_weighted,
        has_own_loss=True,
    ),
    "averaged": Regime(
        "a floor + half-way to the start",
        "A floor of human rows, and after each training the mean of the weights and generation 0's "
        "(arXiv 2109.01903).",
        _SKY,
        _floor,
        afterwards=half_way_to_the_start,
    ),
}
"""Every regime, by the name that `--regimes` takes."""

HEADLINE = ("human", "replace", "mixguard", "guarded")
"""Those of a run that names none: it collapses, a floor keeps a part, both keep all."""
