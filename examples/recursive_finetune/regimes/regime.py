"""What a regime is, and what it can make use of."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer

from collapse_guard import HumanReference, MixGuard
from collapse_guard.examples.laboratory.regimes import Lesson as AnyLesson, Recipe
from collapse_guard.examples.laboratory.world import Rows
from collapse_guard.examples.recursive_finetune.regimes.matched_loss import matched_loss

if TYPE_CHECKING:
    from collapse_guard.examples.recursive_finetune.settings import Settings


def _nobody() -> PreTrainedModel:
    raise NotImplementedError("this lesson has no model of generation 0")


def _nothing_more() -> Rows:
    raise NotImplementedError("the model of this lesson is not let write")


@dataclass(frozen=True)
class Lesson(AnyLesson):
    """What a generation can be trained on, and the models at hand.

    Attributes:
        reference: Says which human rows are rare.
        seed: Of everything random in it.
        held_out: Human rows, int64 of shape (n, window), that are neither trained on nor looked at,
            by which an unknown decoding is found; None where there are none.
        writer: The model that wrote the last rows; None before there is one.
        tokenizer: Of the models.
        start: Reads the model of generation 0.
        more: Lets the writer write as many rows again.
    """

    reference: HumanReference
    seed: int
    held_out: Rows | None = None
    writer: PreTrainedModel | None = None
    tokenizer: PreTrainedTokenizerBase | None = None
    start: Callable[[], PreTrainedModel] = _nobody
    more: Callable[[], Rows] = _nothing_more


@dataclass(frozen=True)
class Training:
    """A training that is about to begin.

    Attributes:
        trainer: Of the model, with the mix as its rows.
        mix: Those.
        lesson: What they were made of.
        settings: Of the run.
    """

    trainer: Trainer
    mix: MixGuard
    lesson: Lesson
    settings: "Settings"


def _as_it_is(model: PreTrainedModel, lesson: Lesson) -> None:
    """The trained model is what goes on."""


@dataclass(frozen=True)
class Regime:
    """How every generation of a chain is trained.

    Attributes:
        title: For people.
        explanation: One sentence.
        color: In figures and in the report.
        recipe: What it is trained on, from the lesson of a generation and the settings of the run.
        loss: Changes the trainer's for the time of a training; by default to the sampler-matched
            one where the recipe says a decoding.
        afterwards: Changes the trained model in place.
        writers: Models that are trained side by side, each of which writes an equal part of the
            rows; readings are of the first.
        has_own_loss: Whether `loss` needs all logits, which TRL's trainer never makes.
        is_matched: Whether the recipe says a decoding, which there is none of a beam search.
    """

    title: str
    explanation: str
    color: str
    recipe: "Callable[[Lesson, Settings], Recipe]"
    loss: Callable[[Training], AbstractContextManager[object]] = matched_loss
    afterwards: Callable[[PreTrainedModel, Lesson], None] = _as_it_is
    writers: int = 1
    has_own_loss: bool = False
    is_matched: bool = False
