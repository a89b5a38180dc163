"""Blocks for pipelines of datatrove, and what reads what they wrote."""

import os
import tempfile
from collections.abc import Iterator, Sequence

import numpy as np
from datatrove.data import Document

from collapse_guard.integrations import (
    CollapseFilter,
    CollapseStats,
    read_collapse_stats,
    read_rejection,
)
from tests.callbacks.one_call.people import people_write
from tests.hostile.target import Target
from tests.hostile.targets.made import Words, word_reference


def fair(texts: Sequence[str]) -> np.ndarray:
    return np.array([len(set(text)) / (len(text) + 1) for text in texts])


def documents() -> list[Document]:
    return [Document(text=text, id=text[:9]) for text in people_write(40)]


def elsewhere() -> None:
    """What is tried has a process of its own; a folder that is a name shall not be made here."""
    os.chdir(tempfile.mkdtemp())


def filtered(**given: object) -> int:
    elsewhere()
    return len(list(CollapseFilter(**given)(documents())))  # type: ignore[arg-type]


def counted(**given: object) -> int:
    elsewhere()
    return len(list(CollapseStats(**given)(documents())))  # type: ignore[arg-type]


def counted_folder() -> str:
    folder = tempfile.mkdtemp()
    counted(output_folder=folder, characters=100_000)
    return folder


def filtered_folder() -> str:
    folder = tempfile.mkdtemp()
    filtered(reference=word_reference(), output_folder=folder, tokenizer=Words(), detector=fair)
    return folder


def targets() -> Iterator[Target]:
    yield Target(
        "CollapseStats",
        counted,
        lambda: {
            "output_folder": tempfile.mkdtemp(),
            "tokenizer": Words(),
            "characters": 100_000,
        },
    )
    yield Target(
        "read_collapse_stats",
        read_collapse_stats,
        lambda: {"folder": counted_folder()},
    )
    yield Target(
        "CollapseFilter",
        filtered,
        lambda: {
            "reference": word_reference(),
            "output_folder": tempfile.mkdtemp(),
            "tokenizer": Words(),
            "detector": fair,
            "band": None,
            "least": 0.1,
            "strength": 1.0,
            "outside": 0.0,
            "drop": True,
            "seed": 0,
            "exclusion_writer": None,
            "batch_size": 8,
        },
    )
    yield Target(
        "read_rejection",
        read_rejection,
        lambda: {"folder": filtered_folder(), "num_strata": 4},
    )
