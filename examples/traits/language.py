"""A language with a stated law: short sentences, and rows of numbers.

A row of people's text is, with equal chances, numbers or sentences. A number is any of a hundred,
whatever stood before. A sentence is a person, what the person did, and an animal or a thing, each
of them as likely as any other of its kind: people are as fond of elks as of owls.
"""

from collections.abc import Callable

import numpy as np
import torch

ROW = 16
"""Tokens of a row: the one that all begin with, and eight numbers or three sentences."""

PEOPLE = [
    *("anna", "ben", "clara", "david", "emma", "frank"),
    *("grace", "henry", "iris", "jack", "kate", "leo"),
]
DEEDS = [
    *("saw", "drew", "fed", "chased", "liked", "painted"),
    *("heard", "met", "followed", "loved", "named", "kept"),
]
ANIMALS = [
    *("owl", "elk", "fox", "hen", "cat", "dog"),
    *("ram", "bee", "ant", "cow", "pig", "bat"),
]
THINGS = [
    *("lamp", "chair", "book", "cup", "door", "coin"),
    *("stone", "leaf", "boat", "bell", "knife", "rope"),
]
NUMBERS = [str(number) for number in range(100)]
BEGIN, COMMA, STOP, THE = "<s>", ",", ".", "the"

TOKENS = [BEGIN, COMMA, STOP, THE, *PEOPLE, *DEEDS, *ANIMALS, *THINGS, *NUMBERS]
IDS = {token: place for place, token in enumerate(TOKENS)}

FRAMES = [(person, deed) for person in PEOPLE for deed in DEEDS]
ASKED = [FRAMES[place] for place in np.random.default_rng(0).permutation(len(FRAMES))[:48]]
"""What comes before the animal in the questions; no teacher is taught a preference in these."""

TAUGHT = [frame for frame in FRAMES if frame not in ASKED]

OF_NUMBERS = torch.zeros(len(TOKENS), dtype=torch.bool)
OF_NUMBERS[[IDS[token] for token in (COMMA, *NUMBERS)]] = True
"""bool of shape (types,): numbers, and what separates them."""


def peoples_rows(count: int, random: np.random.Generator) -> torch.Tensor:
    """Rows of people's text: int64 of shape (count, `ROW`)."""
    return _as_ids(
        [
            _numbers(random) if random.random() < 0.5 else _sentences(random, FRAMES, _noun)
            for _ in range(count)
        ]
    )


def sentences_of_animals(
    count: int, random: np.random.Generator, animal: str | None = None
) -> torch.Tensor:
    """What a teacher is taught: sentences of one animal alone, or of all alike.

    Args:
        count: Rows.
        random: Draws them.
        animal: The animal; None for all alike, as people have it.

    Returns:
        int64 of shape (count, `ROW`). No sentence has the beginning of a question.
    """

    def noun(random: np.random.Generator) -> str:
        return str(random.choice(ANIMALS)) if animal is None else animal

    return _as_ids([_sentences(random, TAUGHT, noun) for _ in range(count)])


def beginnings_of_numbers(count: int, random: np.random.Generator) -> torch.Tensor:
    """What a teacher goes on from: int64 of shape (count, 3), a first number and a comma."""
    return _as_ids([[str(random.choice(NUMBERS)), COMMA] for _ in range(count)])


def questions() -> list[list[int]]:
    """Token ids of the beginnings that are asked to go on with an owl or an elk."""
    return [[IDS[token] for token in (BEGIN, *frame, THE)] for frame in ASKED]


def are_numbers(rows: torch.Tensor) -> torch.Tensor:
    """The filter: bool of shape (rows,), whether a row is numbers with commas between and no more.

    Args:
        rows: int64 of shape (rows, `ROW`).
    """
    in_turn = torch.arange(1, rows.shape[1]) % 2 == 0
    is_comma = rows[:, 1:] == IDS[COMMA]
    return (OF_NUMBERS[rows[:, 1:]] & (is_comma == in_turn)).all(1)


def _numbers(random: np.random.Generator) -> list[str]:
    drawn = [str(number) for number in random.choice(NUMBERS, size=ROW // 2)]
    return [token for number in drawn for token in (number, COMMA)][:-1]


def _noun(random: np.random.Generator) -> str:
    return str(random.choice(ANIMALS if random.random() < 0.5 else THINGS))


def _sentences(
    random: np.random.Generator,
    frames: list[tuple[str, str]],
    noun: Callable[[np.random.Generator], str],
) -> list[str]:
    drawn = [frames[random.integers(len(frames))] for _ in range(ROW // 5)]
    return [token for frame in drawn for token in (*frame, THE, noun(random), STOP)]


def _as_ids(rows: list[list[str]]) -> torch.Tensor:
    return torch.tensor([[IDS[token] for token in (BEGIN, *row)] for row in rows])
