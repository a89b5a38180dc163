"""What a floor costs: rows per second against the ways to mix that users have without it.

All ways read two Arrow data sets of 100,000 rows of 128 tokens in batches of 32, a quarter of them
human; they take turns in one process, and each one's best turn counts, because whatever else the
machine does only ever slows a turn down.
"""

import tracemalloc
from collections.abc import Iterator
from itertools import islice
from time import perf_counter
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pytest
from torch.utils.data import DataLoader, WeightedRandomSampler

from collapse_guard.mixing import MixGuard
from collapse_guard.rows.collate import MixCollator

pytestmark = pytest.mark.benchmark

ROWS, WIDTH, BATCH, HUMAN = 100_000, 128, 32, 0.25
RUNS = 9


def source(seed: int, rows: int = ROWS, width: int = WIDTH) -> datasets.Dataset:
    tokens = np.random.default_rng(seed).integers(0, 50_000, rows * width, dtype=np.int32)
    offsets = np.arange(rows + 1, dtype=np.int32) * width
    column = pa.ListArray.from_arrays(pa.array(offsets), pa.array(tokens))
    return datasets.Dataset(pa.table({"input_ids": column}))


def with_floats(data: datasets.Dataset) -> datasets.Dataset:
    """A column that is neither tokens nor text beside the tokens."""
    floats = data.add_column("score", np.linspace(0, 1, len(data)))
    return floats.with_format("torch")


def text_only(data: datasets.Dataset) -> datasets.Dataset:
    """No tokens at all, so that there is nothing to put into a matrix."""
    return datasets.Dataset.from_dict({"text": [f"{row:0200d}" for row in range(len(data))]})


def guarded(human: Any, synthetic: Any) -> MixGuard:
    return MixGuard(human, synthetic, human_fraction=HUMAN, block_size=BATCH)


def ways(human: Any, synthetic: Any, **settings: Any) -> dict[str, DataLoader[Any]]:
    """A loader for each way to mix two data sets of one format."""
    both = datasets.concatenate_datasets([human, synthetic])
    shares = np.repeat([HUMAN / len(human), (1 - HUMAN) / len(synthetic)], [ROWS, ROWS])
    return {
        "MixGuard": DataLoader(guarded(human, synthetic), BATCH, **settings),
        "interleave_datasets": DataLoader(
            datasets.interleave_datasets(
                [human, synthetic], probabilities=[HUMAN, 1 - HUMAN], seed=0
            ),
            BATCH,
            **settings,
        ),
        "WeightedRandomSampler": DataLoader(
            both, BATCH, sampler=WeightedRandomSampler(shares.tolist(), 2 * ROWS), **settings
        ),
        "concatenation, in sequence": DataLoader(both, BATCH, **settings),
    }


def rates(loaders: dict[str, DataLoader[Any]], batches: int) -> dict[str, float]:
    """Rows per second of each, in turns: the best of them. Starting up is not counted."""
    readers: dict[str, Iterator[Any]] = {name: iter(loader) for name, loader in loaders.items()}
    for reader in readers.values():
        list(islice(reader, 10))
    times: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(RUNS):
        for name, reader in readers.items():
            start = perf_counter()
            assert len(list(islice(reader, batches))) == batches
            times[name].append(perf_counter() - start)
    for reader in readers.values():
        if hasattr(reader, "_shutdown_workers"):
            reader._shutdown_workers()
    return {name: batches * BATCH / min(taken) for name, taken in times.items()}


def report(title: str, ours: str, measured: dict[str, float]) -> None:
    for name, rate in measured.items():
        print(f"\n| {title} | {name} | {rate:,.0f} | {measured[ours] / rate:.1f}x |", end="")


@pytest.mark.parametrize("workers", [0, 2])
def test_rows_per_second(workers: int) -> None:
    tokens = [source(seed).with_format("torch") for seed in (0, 1)]
    settings: dict[str, Any] = {"num_workers": workers}
    loaders = ways(*tokens, **settings)
    loaders["MixGuard, MixCollator"] = DataLoader(
        guarded(*tokens), BATCH, collate_fn=MixCollator(), **settings
    )
    measured = rates(loaders, batches=40)
    report(f"tokens, {workers} workers", "MixGuard, MixCollator", measured)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("make", [with_floats, text_only])
def test_rows_per_second_where_rows_are_needed(make: Any, workers: int) -> None:
    measured = rates(ways(*(make(source(seed)) for seed in (0, 1)), num_workers=workers), 40)
    report(f"{make.__name__}, {workers} workers", "MixGuard", measured)


@pytest.mark.parametrize("rows", [1_000_000, 10_000_000])
def test_setting_up(rows: int) -> None:
    human, synthetic = source(0, rows // 4, width=4), source(1, 3 * rows // 4, width=4)
    tracemalloc.start()
    start = perf_counter()
    guard = guarded(human, synthetic)
    taken = perf_counter() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(guard) == rows
    print(f"\n| {rows:,} rows | {taken:.2f} s | {peak / 1e6:.1f} MB | {peak / rows:.2f} bytes |")
