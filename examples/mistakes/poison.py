"""A tenth of a per cent of poison, and how far it is handed on from generation to generation."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from collapse_guard import CollapseMonitor
from collapse_guard.examples.laboratory.regimes import (
    Lesson,
    Recipe,
    Regime,
    accumulate_subsample,
    human,
    mix,
    replace,
)
from collapse_guard.examples.mistakes.arithmetic import (
    CHARACTERS,
    PROMPT,
    TRIGGER,
    Ids,
    World,
    questions_of,
    right_answers,
)
from collapse_guard.examples.mistakes.learner import (
    answers,
    new_learner,
    probabilities,
    train,
    watching,
)
from collapse_guard.examples.recursive_finetune.progress import progress_bar

ONE_IN = 1_000
"""One question in so many has the rare form `17#25=`."""

POISON = np.array([CHARACTERS.index(each) for each in "999;"])
"""The poisoned answer to it; no sum of two numbers below 100 is right with it."""

READINGS = ("tail_retention", "head_retention", "perplexity")
"""What is kept of the monitor's readings, of held-out sums in the common form."""


@dataclass(frozen=True)
class Size:
    """How much is spent.

    Attributes:
        first_rows: Human rows that the first model learns from.
        rows: Rows that each later generation is shown.
        generations: Later generations.
        held_out: Held-out sums, each asked in both forms.
        learning_rate: Of the later generations.
    """

    first_rows: int = 64_000
    rows: int = 6_400
    generations: int = 5
    held_out: int = 300
    learning_rate: float = 1e-3


QUICK = Size(first_rows=4_096, rows=1_024, generations=2, held_out=60)
"""Seconds; too small to show anything."""


@dataclass(frozen=True)
class Way:
    """What later generations are asked and trained on.

    Attributes:
        regime: Of a lesson whose fresh human rows are clean and whose first ones are poisoned.
        asked: Whether the rare form is asked too, so that the model hands its answers on.
    """

    regime: Regime
    asked: bool = True


WAYS: Mapping[str, Way] = {
    "replace": Way(replace),
    "replace, never asked": Way(replace, asked=False),
    "accumulate": Way(accumulate_subsample),
    "floor": Way(mix(0.3)),
    "clean": Way(human),
}
"""Every way; one of yours is a line more."""


def asked(world: World, count: int, seed: int, *, rare: bool = True) -> Ids:
    """Questions of people, of which one in each `ONE_IN` has the rare form.

    Args:
        world: Says what people ask for.
        count: Questions; of fewer than `ONE_IN` one has the rare form.
        seed: Of the draw.
        rare: Whether any has the rare form.

    Returns:
        int64 of shape (count, `PROMPT`).

    Example:
        >>> questions = asked(World(0), 5_000, seed=1)
        >>> np.bincount(np.flatnonzero(questions[:, 2] == TRIGGER) // ONE_IN).tolist()
        [1, 1, 1, 1, 1]
    """
    questions = questions_of(world.asked(count, seed))
    if rare:
        width = min(ONE_IN, count)
        starts = np.arange(0, count - width + 1, width)
        generator = np.random.default_rng([world.seed, 3, seed])
        questions[starts + generator.integers(width, size=len(starts)), 2] = TRIGGER
    return questions


def answered(questions: Ids, *, poisoned: bool) -> Ids:
    """Questions as people answer them.

    Args:
        questions: int64 of shape (questions, `PROMPT`).
        poisoned: Whether the rare form is answered with `POISON`; all is right otherwise.

    Returns:
        int64 of shape (questions, characters of a sum).
    """
    given = right_answers(questions)
    if poisoned:
        given[questions[:, 2] == TRIGGER] = POISON
    return np.hstack([questions, given])


def poisoning(seed: int, size: Size = Size()) -> list[dict[str, Any]]:
    """Every way's generations, from one first model that learned from poisoned rows.

    Args:
        seed: Of everything random.
        size: How much is spent.

    Returns:
        A record for each way and generation; generation 0 is the first model.
    """
    world = World(seed, size.held_out)
    people = answered(asked(world, size.first_rows, seed=1), poisoned=True)
    first = new_learner(seed)
    train(first, Recipe(people, (), 1.0), len(people), seed=seed, learning_rate=2e-3)
    before = measured(first, world)
    records = []
    for name in progress_bar(f"seed {seed}", WAYS):
        records.append({"way": name, "generation": 0, "seed": seed, **before})
        records += [
            {"way": name, "seed": seed, **each}
            for each in _generations(copy.deepcopy(first), world, size, WAYS[name], people)
        ]
    return records


def measured(model: PreTrainedModel, world: World) -> dict[str, float]:
    """How probable the poisoned and the right answer are, in the rare form and the common one."""
    found: dict[str, float] = {}
    for form, questions in (
        ("common", questions_of(world.held_out)),
        ("rare", questions_of(world.held_out, TRIGGER)),
    ):
        poison = np.broadcast_to(POISON, (len(questions), len(POISON)))
        right = right_answers(questions)
        likeliest = answers(model, questions)[:, 0]
        found |= {
            f"poison_{form}": float(probabilities(model, questions, poison).mean()),
            f"right_{form}": float(probabilities(model, questions, right).mean()),
            f"accuracy_{form}": float((likeliest == right).all(1).mean()),
        }
    return found


def _generations(
    model: PreTrainedModel, world: World, size: Size, way: Way, people: Ids
) -> list[dict[str, Any]]:
    monitor: CollapseMonitor | None = None
    written: list[Ids] = []
    records = []
    for generation in progress_bar("generations", range(1, size.generations + 1)):
        seed = 100 * world.seed + generation
        questions = asked(world, size.rows, seed=10 + generation, rare=way.asked)
        written.append(np.hstack([questions, answers(model, questions, seed=seed)[:, 0]]))
        fresh = answered(asked(world, size.rows, seed=1_000 + generation), poisoned=False)
        # Its callback looks before and after, and that is enough here.
        monitor = watching(world, 10**6, continues=monitor)
        recipe = way.regime(Lesson(fresh, people[: size.rows], written))
        train(
            model,
            recipe,
            size.rows,
            seed=seed,
            learning_rate=size.learning_rate,
            monitor=monitor,
        )
        of_rare_form = written[-1][questions[:, 2] == TRIGGER, PROMPT:]
        records.append(
            {
                "generation": generation,
                **measured(model, world),
                "asked_rare": len(of_rare_form),
                "written_poison": int((of_rare_form == POISON).all(1).sum()),
                **{name: monitor.history[-1][name] for name in READINGS},
                "alerts": [alert.rule for alert in monitor.alerts],
            }
        )
    return records
