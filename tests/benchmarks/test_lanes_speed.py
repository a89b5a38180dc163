"""What lanes spare: rows that each reader decodes, and the time that it takes where cores allow.

Two Hugging Face streams of 16 files each, whose rows take about a quarter of a millisecond of CPU
time to decode. Rows are counted as they are decoded, so that the figures are those of any machine;
seconds are CPU time of one reader, and of a loader's workers wall time.
"""

import zlib
from collections.abc import Iterator
from time import perf_counter, process_time
from typing import Any

import datasets
import numpy as np
import pytest
from torch.utils.data import DataLoader

from collapse_guard.mixing import MixStream

pytestmark = pytest.mark.benchmark

FILES, ROWS, SLOTS, BATCH, BUFFER = 16, 256, 4096, 8, 64
PACKED = zlib.compress(np.random.default_rng(0).integers(0, 60, 60_000).astype(np.uint8).tobytes())

decoded = 0


def decode(files: list[int]) -> Iterator[dict[str, int]]:
    global decoded
    for file in files:
        for row in range(ROWS):
            decoded += 1
            yield {"n": file * ROWS + row, "size": len(zlib.decompress(PACKED))}


def make(lanes: int) -> MixStream:
    files = {"files": list(range(FILES))}
    human, synthetic = (
        datasets.IterableDataset.from_generator(decode, gen_kwargs=files) for _ in range(2)
    )
    return MixStream(
        human,
        synthetic,
        human_fraction=0.5,
        block_size=BATCH,
        batch_size=BATCH,
        shuffle_buffer=BUFFER,
        lanes=lanes,
        length=SLOTS,
    )


def one_reader(stream: Any) -> tuple[int, int, float]:
    """Rows that it hands on, rows that it decodes, and its CPU time in seconds."""
    before, start = decoded, process_time()
    rows = sum(1 for _ in stream)
    return rows, decoded - before, process_time() - start


def test_rows_decoded_by_each_reader() -> None:
    work: dict[tuple[int, int], list[int]] = {}
    for lanes in (1, 8):
        for readers in (1, 2, 4, 8):
            stream, told = make(lanes), []
            # Of eight readers these two, as all are alike.
            for reader in sorted({0, readers - 1}):
                told.append(one_reader(stream.shard(readers, reader) if readers > 1 else stream))
            work[lanes, readers] = [rows for _, rows, _ in told]
            assert all(rows == SLOTS // readers for rows, _, _ in told)
            most, seconds = max(told)[1], max(took for *_, took in told)
            print(
                f"\n| {lanes} | {readers} | {SLOTS // readers} | {most} | {seconds:.2f} |", end=""
            )
    for readers in (1, 2, 4, 8):
        assert max(work[1, readers]) >= SLOTS
        assert max(work[8, readers]) == SLOTS // readers


def test_seconds_of_a_loader_with_workers() -> None:
    for workers in (0, 2):
        for lanes in (1, 8):
            stream = make(lanes)
            times = []
            for _ in range(3):
                start = perf_counter()
                loader = DataLoader(stream, BATCH, num_workers=workers, collate_fn=len)
                assert sum(loader) == SLOTS
                times.append(perf_counter() - start)
            print(f"\n| {lanes} | {workers} workers | {min(times):.2f} s |", end="")
