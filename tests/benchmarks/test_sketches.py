"""Sketches of what does not fit, against what is exact where it does.

Pairs of tokens that are drawn independently by Zipf's law, of Apache's `datasketches`: how many
different ones there are (HyperLogLog), how often each comes (count-min), and how many of those that
are rare a count-min sketch takes for common, since it never counts too few and often too many.
"""

import time

import numpy as np
import pytest

pytestmark = pytest.mark.benchmark

TOKENS = 4_000_000
TYPES = 100_000
RARE = 2
ROWS = 4


def test_sketches_of_pairs() -> None:
    import datasketches

    shares = (np.arange(TYPES) + 2.7) ** -1.0
    tokens = np.random.default_rng(0).choice(TYPES, TOKENS, p=shares / shares.sum())
    pairs = tokens[:-1] * TYPES + tokens[1:]
    different, counts = np.unique(pairs, return_counts=True)
    stream = pairs.tolist()
    print(f"\n{len(pairs):,} pairs, {len(different):,} of them different, 8 bytes each with counts")
    halves = np.array_split(pairs, 2)
    for log_size in (10, 12, 14):
        union = datasketches.hll_union(log_size)
        begin = time.process_time()
        for half in halves:
            sketch = datasketches.hll_sketch(log_size)
            for pair in half.tolist():
                sketch.update(pair)
            union.update(sketch)
        rate = len(pairs) / (time.process_time() - begin) / 1e6
        error = union.get_estimate() / len(different) - 1
        print(f"| HyperLogLog, 2^{log_size} | {error:+.2%} | {rate:.1f} million/s |")
    is_rare = counts <= RARE
    asked = np.random.default_rng(1).choice(len(different), 50_000, replace=False)
    for log_width in (18, 20, 22, 24):
        sketch = datasketches.count_min_sketch(ROWS, 1 << log_width)
        begin = time.process_time()
        for pair in stream:
            sketch.update(pair)
        rate = len(pairs) / (time.process_time() - begin) / 1e6
        found = np.array([sketch.get_estimate(int(pair)) for pair in different[asked]])
        excess = found - counts[asked]
        assert excess.min() >= 0
        missed = (found[is_rare[asked]] > RARE).mean()
        print(
            f"| count-min, {ROWS} x 2^{log_width} | {ROWS * 8 * (1 << log_width) / 1e6:,.0f} MB | "
            f"{excess.mean():.2f} | {missed:.1%} | {rate:.1f} million/s |"
        )
