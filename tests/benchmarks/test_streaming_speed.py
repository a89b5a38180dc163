"""What a floor costs in a stream: rows per second against Hugging Face's own way to mix streams.

Both read two streams of 100,000 rows of 128 tokens, a quarter of them human, and shuffle them with
a buffer of 1,000 rows; they take turns in one process, and medians are compared. Of several readers
each reads the whole stream: what that costs is the last line.
"""

from itertools import islice
from time import perf_counter

import datasets
import numpy as np
import pytest

from collapse_guard.mixing import MixStream
from tests.benchmarks.test_mixing_throughput import HUMAN, RUNS, source

pytestmark = pytest.mark.benchmark

ROWS, BUFFER = 10_000, 1_000


def test_rows_per_second() -> None:
    human, synthetic = (source(seed).to_iterable_dataset(num_shards=8) for seed in (0, 1))
    stream = MixStream(
        human,
        synthetic,
        human_fraction=HUMAN,
        block_size=32,
        shuffle_buffer=BUFFER,
        batch_size=32,
        max_repeats=None,
    )
    mixed = datasets.interleave_datasets(
        [human, synthetic], probabilities=[HUMAN, 1 - HUMAN], seed=0
    ).shuffle(seed=0, buffer_size=BUFFER)
    ways = {
        "MixStream": (stream, ROWS),
        "interleave_datasets and shuffle": (mixed, ROWS),
        "MixStream, one of 8 readers": (stream.shard(8, 3), ROWS // 8),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(RUNS):
        for name, (rows, count) in ways.items():
            start = perf_counter()
            assert sum(1 for _ in islice(rows, count)) == count
            times[name].append(perf_counter() - start)
    rates = {name: ways[name][1] / float(np.median(taken)) for name, taken in times.items()}
    for name, rate in rates.items():
        print(f"\n| {name} | {rate:,.0f} | {rates['MixStream'] / rate:.1f}x |", end="")
