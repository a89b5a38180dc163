"""What a look at the contents of rows costs, against the plain loops that it stands for.

Both are measured in turns in one process, and medians compared.
"""

from collections.abc import Callable
from time import perf_counter

import datasets
import numpy as np
import pytest

from collapse_guard import Source
from collapse_guard.audit import audit_rows
from collapse_guard.audit.filters.entropy_rate import entropy_rates
from collapse_guard.human_text.token_rows import TokenRows
from tests.audit.filters.test_entropy_rate import naive_match_lengths

pytestmark = pytest.mark.benchmark

RUNS = 3
ROWS, TOKENS, SHINGLE = 20_000, 128, 5


def seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def report(what: str, ours: Callable[[], object], theirs: Callable[[], object], rows: int) -> None:
    times = np.array([(seconds(ours), seconds(theirs)) for _ in range(RUNS)])
    mine, loop = np.median(times, axis=0)
    print(f"\n| {what} | {rows / mine:,.0f} rows a second | {loop / mine:.1f}x a plain loop |")


def text_like(seed: int, rows: int = ROWS) -> np.ndarray:
    shares = np.cumsum(1 / np.arange(1, 30_001))
    draws = np.random.default_rng(seed).random((rows, TOKENS))
    return np.searchsorted(shares / shares[-1], draws)


def _sources() -> tuple[list[Source], np.ndarray, np.ndarray]:
    human, synthetic = text_like(0), text_like(1)
    synthetic[:200] = human[:200]
    synthetic[100:200, 5] = 7
    made = [
        Source(datasets.Dataset.from_dict({"input_ids": ids}), name, name)
        for name, ids in (("human", human), ("synthetic", synthetic))
    ]
    return made, human, synthetic


def test_identical_rows() -> None:
    sources, human, synthetic = _sources()

    def loop() -> int:
        known = {tuple(row) for row in human.tolist()}
        return sum(tuple(row) in known for row in synthetic.tolist())

    report(
        "identical rows of 128 tokens",
        lambda: audit_rows(sources, near=None),
        loop,
        2 * ROWS,
    )


def test_rows_that_are_nearly_the_same() -> None:
    """The loop only collects the shingles; comparing all pairs of rows would take hours."""
    sources, human, synthetic = _sources()

    def loop() -> int:
        shingles = range(TOKENS - SHINGLE + 1)
        return sum(
            len({tuple(row[at : at + SHINGLE]) for at in shingles})
            for row in [*human.tolist(), *synthetic.tolist()]
        )

    report("nearly the same", lambda: audit_rows(sources), loop, 2 * ROWS)


def test_entropy_rates() -> None:
    rows = text_like(2, 50).tolist()
    many = TokenRows.of(text_like(2).tolist())
    mine = seconds(lambda: entropy_rates(many)) / ROWS
    loop = seconds(lambda: [naive_match_lengths(row) for row in rows]) / len(rows)
    print(f"\n| entropy rate | {1 / mine:,.0f} rows a second | {loop / mine:.0f}x a plain loop |")
