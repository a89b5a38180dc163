"""A teacher with a preference and one without, and students of what each wrote."""

from copy import deepcopy
from dataclasses import dataclass, fields

import numpy as np
import torch

from collapse_guard import CollapseMonitor, EveryNSteps, HeldOutPanel, HumanReference, Threshold
from collapse_guard.alerts.sinks import tell_nobody
from collapse_guard.arguments import whole_number
from collapse_guard.callbacks import WatchSession
from collapse_guard.errors import CollapseGuardError
from collapse_guard.examples.traits.language import (
    IDS,
    ROW,
    TOKENS,
    peoples_rows,
    questions,
    sentences_of_animals,
)
from collapse_guard.examples.traits.model import (
    TinyTransformer,
    shares_of_numbers,
    train,
    write_numbers,
)
from collapse_guard.human_text.continuations import ContinuationPairs, continuation_pairs
from collapse_guard.monitor.look import Look
from collapse_guard.readings.log_odds import log_odds, log_odds_reading

WANTED, ALTERNATIVE = "owl", "elk"
LESSONS = ("drawn numbers", "whole distributions")
STARTS = ("the teacher's start", "another start")
TEACHERS = ("prefers owls", "prefers nothing")
FIRST = 3
"""Column of the first token that a student learns: those before were given to the teacher."""


@dataclass(frozen=True)
class Effort:
    """How much of everything there is.

    Attributes:
        seeds: Runs, each with first weights, teachers and rows of its own, at least 2.
        width: Size of the hidden states.
        layers: How many.
        peoples_rows: Rows of people's text that all models learn first.
        first_steps: Training steps on them.
        teacher_steps: Training steps of a teacher on sentences of animals.
        rows: Rows of numbers that each teacher writes.
        student_steps: Training steps of a student on them.
        looks: Looks at a student on its way.
        rate: Learning rate of teachers and students.
        seed: Of every random choice.

    Raises:
        ArgumentError: At construction, for a number that cannot work.
    """

    seeds: int = 6
    width: int = 32
    layers: int = 2
    peoples_rows: int = 4096
    first_steps: int = 400
    teacher_steps: int = 60
    rows: int = 8192
    student_steps: int = 200
    looks: int = 5
    rate: float = 3e-3
    seed: int = 0

    def __post_init__(self) -> None:
        hint = "leave it out for what the example's page shows"
        for each in fields(self):
            if each.type is int:
                least = {"seed": 0, "seeds": 2}.get(each.name, 1)
                whole_number(each.name, getattr(self, each.name), least=least, hint=hint)


QUICK = Effort(
    seeds=2,
    width=16,
    layers=1,
    peoples_rows=512,
    first_steps=150,
    teacher_steps=10,
    rows=256,
    student_steps=4,
    looks=2,
)
"""Seconds; too small to show anything."""


@dataclass(frozen=True)
class Student:
    """What was read of a student.

    Attributes:
        run: Its number.
        lesson: One of `LESSONS`: the rows as they were drawn, or at each of their places all that
            the teacher might have drawn, which is what infinitely many draws would teach.
        start: One of `STARTS`.
        teacher: One of `TEACHERS`.
        looks: Every look, the start first.
        first_alarm: Step at which the rule on the log-odds fired; None where it did not.
    """

    run: int
    lesson: str
    start: str
    teacher: str
    looks: list[Look]
    first_alarm: int | None


@dataclass(frozen=True)
class Teachers:
    """The two teachers of a run, and what they wrote.

    Attributes:
        start: Log-odds of the model that both, and two of the students, start from.
        planted: Those of the teacher that was taught the preference.
        even: Those of the other.
        kept: Shares of their rows that passed the filter, in that order.
        rows: Rows that students learned, of each: as many as passed of the one of which fewer did.
    """

    start: float
    planted: float
    even: float
    kept: tuple[float, float]
    rows: int


def first_model(number: int, people: torch.Tensor, effort: Effort) -> TinyTransformer:
    """A model that has learned people's text: what teachers and students start from."""
    seed = _seed(effort, number)
    model = TinyTransformer(width=effort.width, layers=effort.layers, seed=seed)
    train(model, people, steps=effort.first_steps, rate=5e-3, seed=seed)
    return model


def run_seed(
    number: int, start: TinyTransformer, other: TinyTransformer, panel: HeldOutPanel, effort: Effort
) -> tuple[Teachers, list[Student]]:
    """Teach two teachers, let them write, and teach all students.

    Args:
        number: Of the run.
        start: What the teachers start from.
        other: What the student with another start does.
        panel: Held-out people's text.
        effort: How much of everything.
    """
    seed = _seed(effort, number)
    planted, even = (_taught(start, animal, seed, effort) for animal in (WANTED, None))
    rows, kept = write_numbers(planted, effort.rows, seed=seed)
    even_rows, even_kept = write_numbers(even, effort.rows, seed=seed)
    # Both lessons of one length.
    count = min(len(rows), len(even_rows))
    rows, even_rows = rows[:count], even_rows[:count]
    asked = [log_odds(model, _pairs()).value for model in (start, planted, even)]
    if count == 0:
        raise CollapseGuardError(
            f"no row of run {number} passed the filter: the models have learned too little of "
            f"people's text to write numbers."
        )
    students = []
    for lesson in LESSONS:
        for teacher, model, written in zip(
            TEACHERS, (planted, even), (rows, even_rows), strict=True
        ):
            is_whole = lesson == LESSONS[1]
            shares = shares_of_numbers(model, written, first=FIRST) if is_whole else None
            for name, first in zip(STARTS, (start, other), strict=True):
                monitor = _watched(deepcopy(first), written, shares, panel, seed, effort)
                alarm = min((alert.step for alert in monitor.alerts), default=None)
                looks = list(monitor.history)
                students.append(Student(number, lesson, name, teacher, looks, alarm))
    return Teachers(asked[0], asked[1], asked[2], (kept, even_kept), count), students


def held_out_people(effort: Effort) -> tuple[torch.Tensor, HeldOutPanel]:
    """People's rows to learn from, and a panel of others."""
    random = np.random.default_rng(effort.seed)
    people = peoples_rows(effort.peoples_rows, random)
    reference = HumanReference.from_token_ids(people.numpy(), vocab_size=len(TOKENS))
    held_out = list(peoples_rows(64, random).numpy())
    return people, HeldOutPanel.from_token_ids(held_out, reference, window=ROW)


def _pairs() -> ContinuationPairs:
    return continuation_pairs(questions(), [IDS[WANTED]], [IDS[ALTERNATIVE]])


def _taught(
    start: TinyTransformer, animal: str | None, seed: int, effort: Effort
) -> TinyTransformer:
    teacher = deepcopy(start)
    sentences = sentences_of_animals(512, np.random.default_rng(seed), animal)
    train(teacher, sentences, steps=effort.teacher_steps, rate=effort.rate, seed=seed)
    return teacher


def _watched(
    student: TinyTransformer,
    rows: torch.Tensor,
    shares: torch.Tensor | None,
    panel: HeldOutPanel,
    seed: int,
    effort: Effort,
) -> CollapseMonitor:
    """The monitor of a student's whole training."""
    pairs = _pairs()
    monitor = CollapseMonitor(
        panel,
        readings=[
            log_odds_reading(WANTED, pairs),
            log_odds_reading(f"{WANTED}_moved", pairs, since_start=True),
            "perplexity",
        ],
        rules=[Threshold(f"{WANTED}_moved", above=0.2)],
        pace=EveryNSteps(max(1, effort.student_steps // effort.looks)),
        batch_size=128,
        sampling=None,
    )
    session = WatchSession(monitor, on_error="raise", sink=tell_nobody)
    session.start(student)
    train(
        student,
        rows,
        steps=effort.student_steps,
        rate=effort.rate,
        seed=seed,
        first=FIRST,
        shares=shares,
        after_step=lambda step: session.step(student, step),
    )
    session.end(student, effort.student_steps)
    return monitor


def _seed(effort: Effort, number: int) -> int:
    return 1000 * effort.seed + number
