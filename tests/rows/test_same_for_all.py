"""What gives each process rows or an order of its own is refused, and nothing else is."""

from collections.abc import Callable
from typing import Any

import datasets
import numpy as np
import pytest
from datasets.distributed import split_dataset_by_node
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
)

from collapse_guard import ArgumentError, MixStream
from collapse_guard.rows.same_for_all import check_same_for_all


def stream() -> Any:
    return datasets.Dataset.from_dict({"n": list(range(20))}).to_iterable_dataset(num_shards=4)


ROWS = list(range(20))

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a set": (lambda: set(ROWS), "give sorted"),
    "a frozen set": (lambda: frozenset(ROWS), "give sorted"),
    "keys": (lambda: dict.fromkeys(ROWS).keys(), "give sorted"),
    "a shuffling loader": (lambda: DataLoader(ROWS, shuffle=True), "the data set inside"),
    "batches of one": (
        lambda: DataLoader(ROWS, batch_sampler=BatchSampler(RandomSampler(ROWS), 2, False)),
        "the data set inside",
    ),
    "a sampler": (lambda: RandomSampler(ROWS), "the data set inside"),
    "a loader of a process": (
        lambda: DataLoader(ROWS, sampler=DistributedSampler(ROWS, 2, 0, shuffle=False)),
        "the data set inside",
    ),
    "split": (lambda: split_dataset_by_node(stream(), 1, 2), "the part of process 1 of 2"),
    "split and mapped": (
        lambda: split_dataset_by_node(stream(), 0, 2).map(lambda row: row),
        "leave out split_dataset_by_node",
    ),
    "shuffled": (lambda: stream().shuffle(), r"write \.shuffle\(seed=0"),
    "shuffled by a generator": (
        lambda: stream().shuffle(generator=np.random.default_rng()),
        r"write \.shuffle\(seed=0",
    ),
    "shuffled and more": (
        lambda: stream().shuffle().map(lambda row: row).filter(bool).take(9),
        r"write \.shuffle\(seed=0",
    ),
    "one of several": (
        lambda: datasets.interleave_datasets([stream(), stream().shuffle()]),
        r"write \.shuffle\(seed=0",
    ),
}

TAKEN: dict[str, Callable[[], Any]] = {
    "plain": stream,
    "one process": lambda: split_dataset_by_node(stream(), 0, 1),
    "with a seed": lambda: stream().shuffle(seed=3, buffer_size=4),
    "with a large seed": lambda: stream().shuffle(seed=2**63),
    "with a generator": lambda: stream().shuffle(generator=np.random.default_rng(3)),
    "several": lambda: datasets.interleave_datasets(
        [stream(), stream()], probabilities=[0.5, 0.5], seed=3
    ),
    "a loader": lambda: DataLoader(ROWS),
    "batches": lambda: DataLoader(
        ROWS, batch_sampler=BatchSampler(SequentialSampler(ROWS), 2, False)
    ),
    "a loader of a stream": lambda: DataLoader(stream()),
    "a list": lambda: ROWS,
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_before_a_row_is_read(name: str) -> None:
    make, told = REFUSED[name]
    with pytest.raises(ArgumentError, match=f"`human` expected .*{told}"):
        MixStream(make(), [{"n": 1}], human_fraction=0.5, block_size=2)


@pytest.mark.parametrize("name", TAKEN)
def test_anything_else_is_taken(name: str) -> None:
    check_same_for_all("human", TAKEN[name]())
