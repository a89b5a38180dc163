"""Generations that go on training on what they answered themselves."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from collapse_guard import CollapseMonitor
from collapse_guard.errors import bad_argument
from collapse_guard.examples.laboratory.regimes import (
    Lesson,
    Recipe,
    Regime,
    human as human_rows,
    mix,
    replace,
)
from collapse_guard.examples.mistakes.arithmetic import (
    Ids,
    World,
    questions_of,
    right_answers,
    true_sums,
)
from collapse_guard.examples.mistakes.calibration import expected_calibration_error, majority
from collapse_guard.examples.mistakes.learner import (
    answers,
    new_learner,
    probabilities,
    train,
    watching,
)
from collapse_guard.examples.recursive_finetune.progress import progress_bar

READINGS = ("tail_retention", "head_retention", "predictive_entropy", "perplexity")
"""What is kept of the monitor's readings."""


@dataclass(frozen=True)
class Size:
    """How much is spent.

    Attributes:
        base_rows: True sums that the first model learns from.
        rows: Rows that each generation is shown.
        generations: How many there are.
        held_out: Held-out sums.
        samples: Answers that vote on a question.
        look_every: Steps between two looks at the panel.
    """

    base_rows: int = 64_000
    rows: int = 6_400
    generations: int = 5
    held_out: int = 500
    samples: int = 8
    look_every: int = 25


QUICK = Size(base_rows=6_400, rows=512, generations=2, held_out=60, samples=3, look_every=2)
"""Seconds; too small to show anything."""

Writing = Callable[[PreTrainedModel, Ids, int, int], Ids]
"""From a model, questions, a seed and a number of samples to rows that the next is trained on."""


def own(model: PreTrainedModel, questions: Ids, seed: int, _samples: int) -> Ids:
    """One answer to each question, as drawn."""
    return np.hstack([questions, answers(model, questions, seed=seed)[:, 0]])


def right_ones(model: PreTrainedModel, questions: Ids, seed: int, samples: int) -> Ids:
    """Of those, the right ones: what a verifier lets pass."""
    rows = own(model, questions, seed, samples)
    passed = rows[is_right(questions, rows[:, questions.shape[1] :])]
    if not len(passed):
        raise bad_argument(
            "model",
            expected="one that gives a right answer now and then",
            given=f"{len(rows)} wrong answers",
            hint="a verifier that lets nothing pass leaves nothing to train on; learn longer first",
        )
    return passed


def agreed(model: PreTrainedModel, questions: Ids, seed: int, samples: int) -> Ids:
    """The commonest of several answers to each question."""
    drawn = answers(model, questions, samples=samples, seed=seed)
    return np.hstack([questions, majority(drawn)[0]])


WAYS: dict[str, tuple[Writing, Regime]] = {
    "human": (own, human_rows),
    "replace": (own, replace),
    "verified": (right_ones, replace),
    "majority": (agreed, replace),
    "mix": (own, mix(0.3)),
}
"""How a generation's answers become rows, and what the next is trained on; one of yours is a line
more."""


def is_right(questions: Ids, given: Ids) -> "np.typing.NDArray[np.bool_]":
    """Whether each answer is the right one, character by character."""
    return np.asarray((given == right_answers(questions)).all(1))


def base_model(world: World, rows: int) -> PreTrainedModel:
    """A model that learned from true sums only."""
    model = new_learner(world.seed)
    people = true_sums(world.asked(rows, seed=1))
    train(model, Recipe(people, (), 1.0), rows, seed=world.seed, learning_rate=2e-3)
    return model


def measured(model: PreTrainedModel, world: World, samples: int) -> dict[str, float]:
    """How right and how sure a model is about the held-out sums."""
    questions = questions_of(world.held_out)
    likeliest = answers(model, questions)[:, 0]
    confidence = probabilities(model, questions, likeliest)
    right = is_right(questions, likeliest)
    drawn = answers(model, questions, samples=samples, seed=world.seed)
    voted, share = majority(drawn)
    of_drawn = [is_right(questions, drawn[:, each]).mean() for each in range(samples)]
    return {
        "accuracy": float(right.mean()),
        "accuracy_drawn": float(np.mean(of_drawn)),
        "accuracy_voted": float(is_right(questions, voted).mean()),
        "confidence": float(confidence.mean()),
        "ece": expected_calibration_error(confidence, right),
        "vote_share": float(share.mean()),
    }


def self_training(seed: int, size: Size = Size()) -> list[dict[str, Any]]:
    """Every regime's generations, from one first model.

    Args:
        seed: Of everything random.
        size: How much is spent.

    Returns:
        A record for each regime and generation; generation 0 is the first model.
    """
    world = World(seed, size.held_out)
    first = base_model(world, size.base_rows)
    before = measured(first, world, size.samples)
    records = []
    for way in progress_bar(f"seed {seed}", WAYS):
        records.append({"way": way, "generation": 0, "seed": seed, **before})
        records += [
            {"way": way, "seed": seed, **each}
            for each in _generations(copy.deepcopy(first), world, size, *WAYS[way])
        ]
    return records


def _generations(
    model: PreTrainedModel, world: World, size: Size, writing: Writing, regime: Regime
) -> list[dict[str, Any]]:
    people = true_sums(world.asked(size.rows, seed=1))
    monitor: CollapseMonitor | None = None
    written: list[Ids] = []
    records = []
    for generation in progress_bar("generations", range(1, size.generations + 1)):
        seed = 100 * world.seed + generation
        asked = questions_of(world.asked(size.rows, seed=10 + generation))
        written.append(writing(model, asked, seed, size.samples))
        fresh = true_sums(world.asked(size.rows, seed=1_000 + generation))
        monitor = watching(world, size.look_every, continues=monitor)
        recipe = regime(Lesson(fresh, people, written))
        train(model, recipe, size.rows, seed=seed, monitor=monitor)
        reading = monitor.history[-1]
        kept = is_right(written[-1][:, : asked.shape[1]], written[-1][:, asked.shape[1] :])
        records.append(
            {
                "generation": generation,
                **measured(model, world, size.samples),
                "written_right": float(kept.mean()),
                "written_rows": len(kept),
                **{name: reading[name] for name in READINGS},
                "alerts": [[alert.step, alert.rule] for alert in monitor.alerts],
            }
        )
    return records
