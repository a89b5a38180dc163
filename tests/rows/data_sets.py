"""Hugging Face data sets of several makes, and their rows read one by one."""

import pickle
from typing import Any

import datasets
import numpy as np
import torch

from collapse_guard.rows.batch_reader import BatchReader

NUM_ROWS = 40


SOURCES = np.array([0, 1, 1, 0, 2, 1, 2, 2])


ROWS = np.array([3, 39, 0, 3, 17, 17, 0, 8])


def tokens(seed: int) -> list[list[int]]:
    ids: list[list[int]] = np.random.default_rng(seed).integers(0, 50_000, (NUM_ROWS, 6)).tolist()
    return ids


def even(seed: int) -> datasets.Dataset:
    ids = tokens(seed)
    return datasets.Dataset.from_dict({"input_ids": ids, "n": list(range(NUM_ROWS))})


def ragged(seed: int) -> datasets.Dataset:
    return datasets.Dataset.from_dict(
        {"input_ids": [row[: 1 + row[0] % 6] for row in tokens(seed)]}
    )


def with_text(seed: int) -> datasets.Dataset:
    return even(seed).add_column("text", [f"{seed} {row}" for row in range(NUM_ROWS)])


def with_floats(seed: int) -> datasets.Dataset:
    return even(seed).add_column("score", [row / 7 for row in range(NUM_ROWS)])


def negated(rows: dict[str, list[int]]) -> dict[str, list[int]]:
    return {"m": [-n for n in rows["n"]]}


def same(one: Any, other: Any) -> bool:
    """Equal in value and in type."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    equal = np.array_equal(one, other) and np.shape(one) == np.shape(other)
    return equal and type(one) is type(other) and getattr(one, "dtype", 0) == getattr(
        other, "dtype", 0
    )  # fmt: skip


def row_of(source: Any, number: int) -> Any:
    # As loaders read it: a scalar of numpy's format has another type there than in `source[n]`.
    if hasattr(source, "__getitems__"):
        return source.__getitems__([number])[0]
    return source[number]


def check(sources: list[Any]) -> list[Any]:
    """The batch, once it is found to be what the sources say one by one."""
    reader = BatchReader(sources)
    for copy in (reader, pickle.loads(pickle.dumps(reader))):
        batch: list[Any] = copy.read(SOURCES, ROWS)
        for row, source, number in zip(list(batch), SOURCES, ROWS, strict=True):
            assert same(row, row_of(sources[source], int(number)))
    return reader.read(SOURCES, ROWS)
