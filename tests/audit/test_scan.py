import tracemalloc

import numpy as np

from collapse_guard import Source
from collapse_guard.audit import audit_rows


class GeneratedRows:
    """Rows that are made as they are read, and stand nowhere."""

    def __init__(self, count: int, length: int, seed: int) -> None:
        self.count, self.length, self.seed = count, length, seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int, /) -> dict[str, np.ndarray]:
        generator = np.random.default_rng((self.seed, index))
        return {"input_ids": generator.integers(0, 30_000, self.length)}


def test_memory_does_not_grow_with_the_length_of_rows() -> None:
    """50 MB of tokens, of which a few MB are held at any time."""
    sources = [
        Source(GeneratedRows(500, 6_250, seed), f"source {seed}", kind)
        for seed, kind in enumerate(["human", "synthetic"])
    ]
    tracemalloc.start()
    try:
        report = audit_rows(sources)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.is_clean
    assert peak < 35e6
