import tracemalloc

import numpy as np
import pytest

from collapse_guard import Source
from collapse_guard.audit import audit_rows
from collapse_guard.audit.row_shingles import RowShingles
from tests.audit.texts import random_rows


def _compared(rows: list[list[int]], monkeypatch: pytest.MonkeyPatch) -> int:
    """How many pairs of rows are compared on all their shingles."""
    pairs = 0
    shared_with = RowShingles.shared_with

    def counted(
        self: RowShingles, other: RowShingles, ours: np.ndarray, theirs: np.ndarray
    ) -> np.ndarray:
        nonlocal pairs
        pairs += len(ours)
        return shared_with(self, other, ours, theirs)

    half = len(rows) // 2
    sources = [Source(rows[:half], "human", "human"), Source(rows[half:], "web", "synthetic")]
    with monkeypatch.context() as patch:
        patch.setattr(RowShingles, "shared_with", counted)
        audit_rows(sources)
    return pairs


def test_near_copies_and_templates_are_compared_with_a_few_and_not_with_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (base,) = random_rows(1, seed=1, least=50, most=51)
    for count in (500, 2000):
        near = [[*base[:-1], 3000 + row] for row in range(count)]
        template = [[*base[:30], *row[:20]] for row in random_rows(count, seed=2)]
        for rows in (near, template):
            assert _compared(rows, monkeypatch) <= 8 * count
        assert _compared(random_rows(count, seed=3), monkeypatch) == 0


def test_all_near_copies_but_the_first_are_found() -> None:
    (base,) = random_rows(1, seed=1, least=50, most=51)
    rows = [[*base[:-1], 3000 + row] for row in range(2000)]
    sources = [Source(rows[:1000], "human", "human"), Source(rows[1000:], "web", "synthetic")]
    report = audit_rows(sources)
    assert report.repeated_rows("human").tolist() == list(range(1, 1000))
    assert report.repeated_rows("web").tolist() == list(range(1, 1000))
    assert report.bad_rows("web").tolist() == list(range(1000))


def test_a_line_of_20_megabytes_is_worked_through_in_slices() -> None:
    generator = np.random.default_rng(0)
    words = [f"w{number}" for number in range(5000)]
    part = " ".join(words[number] for number in generator.integers(0, 5000, 40_000).tolist())
    long = " ".join(f"{part} x{number}" for number in range(90))
    assert len(long) > 20e6
    paragraph = part[60_000:60_400]
    sources = [Source([paragraph], "books", "human"), Source([long, "a b"], "web", "synthetic")]
    tracemalloc.start()
    try:
        report = audit_rows(sources)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    (inside,) = report.inside
    assert (inside.rows.tolist(), inside.longer.tolist()) == ([0], [0])
    assert inside.share[0] > 0.9
    assert peak < 20 * len(long)
