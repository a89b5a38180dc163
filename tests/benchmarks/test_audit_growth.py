"""What `audit_rows` takes, by the number of rows: time and memory a row should not grow.

Each figure is of a fresh process, and of rows of 50 tokens in a Hugging Face data set, half of them
human. Time is CPU time. Memory is the most that is held at once in a second call, as `tracemalloc`
counts it, which numpy tells of its arrays: the kernel's high-water mark would leave out whatever
fits where the rows were made.
"""

import subprocess
import sys

import numpy as np
import pytest

from tests.packaging.layout import ROOT

pytestmark = pytest.mark.benchmark

TOKENS = 50


def rows_of(kind: str, count: int, seed: int) -> np.ndarray:
    """Rows that are all different, near copies of one, or one template with their own end."""
    shares = np.cumsum(1 / np.arange(1, 30_001))
    generator = np.random.default_rng(seed)

    def drawn(generator: np.random.Generator, *shape: int) -> np.ndarray:
        return np.searchsorted(shares / shares[-1], generator.random(shape))

    if kind == "distinct":
        return drawn(generator, count, TOKENS).astype(np.int32)
    rows = np.repeat(drawn(np.random.default_rng(99), 1, TOKENS), count, axis=0).astype(np.int32)
    own = 2 if kind == "near copies" else 20
    rows[:, -own:] = drawn(generator, count, own)
    return rows


def measured(kind: str, rows: int) -> tuple[float, float]:
    """CPU seconds and bytes of one look."""
    script = f"""
import tracemalloc
from time import process_time
import datasets
from collapse_guard import Source
from collapse_guard.audit import audit_rows
from tests.benchmarks.test_audit_growth import rows_of
def sources(kind, rows):
    parts = [rows_of(kind, rows // 2, seed) for seed in range(2)]
    made = [datasets.Dataset.from_dict({{"input_ids": part}}) for part in parts]
    return [Source(rows, name, name) for rows, name in zip(made, ("human", "synthetic"))]
audit_rows(sources("distinct", 2000))
given = sources("{kind}", {rows})
start = process_time()
audit_rows(given)
seconds = process_time() - start
tracemalloc.start()
audit_rows(given)
print(seconds, tracemalloc.get_traced_memory()[1])
"""
    out = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, text=True)
    seconds, peak = map(float, out.split())
    return seconds, peak


@pytest.mark.parametrize("rows", [10_000, 100_000, 1_000_000])
@pytest.mark.parametrize("kind", ["distinct", "near copies", "template"])
def test_looking_at_so_many_rows(kind: str, rows: int) -> None:
    seconds, peak = measured(kind, rows)
    print(
        f"\n| {kind} | {rows:,} | {seconds:.1f} | {1e6 * seconds / rows:.0f} | {peak / 1e6:,.0f} "
        f"| {peak / rows:,.0f} |"
    )


def test_near_copies_against_distinct_rows() -> None:
    figures = {kind: measured(kind, 8000)[0] for kind in ("distinct", "near copies", "template")}
    for kind in ("near copies", "template"):
        print(f"\n| 8,000 rows | {kind} | {figures[kind] / figures['distinct']:.1f}x distinct |")
