import numpy as np
import pytest

from collapse_guard.audit.anchors import (
    ANCHORS,
    AnchorTable,
    enough,
    missed,
    num_anchors,
    row_anchors,
)
from collapse_guard.audit.row_shingles import RowShingles
from collapse_guard.human_text.token_rows import TokenRows
from tests.audit.texts import random_rows


def shingles_of(rows: list[list[int]]) -> RowShingles:
    return RowShingles.of(TokenRows.of(rows))


def table_of(rows: list[list[int]]) -> AnchorTable:
    shingles = shingles_of(rows)
    parts = [
        (np.arange(len(rows))[part], row_anchors(shingles)[part], shingles.sizes[part])
        for part in (slice(0, 7), slice(7, None))
    ]
    return AnchorTable(parts, num_anchors(shingles.sizes))


def test_a_row_that_holds_another_whole_is_always_found() -> None:
    shorter = random_rows(200, seed=1, least=5, most=30)
    around = random_rows(200, seed=2)
    longer = [[*own[:10], *row, *own[10:]] for row, own in zip(shorter, around, strict=True)]
    held = table_of(shorter).look_up(shingles_of(longer))
    sizes = shingles_of(shorter).sizes
    found = enough(held, sizes[held.owners], 1.0)
    assert held.rows[found].tolist() == held.owners[found].tolist() == list(range(200))
    assert held.anchors[found].tolist() == np.minimum(sizes, ANCHORS).tolist()


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_as_many_are_missed_as_is_said(share: float) -> None:
    """A part of each row stands in another: the rows not found, against the formula."""
    count, tokens = 4000, 104
    rows = random_rows(count, seed=3, least=tokens, most=tokens + 1)
    held_tokens = round(share * (tokens - 4)) + 4
    parts = [row[:held_tokens] for row in rows]
    table = table_of(rows)

    def found(parts: list[list[int]]) -> int:
        held = table.look_up(shingles_of(parts))
        wanted = enough(held, np.full(len(held.rows), tokens - 4), share)
        return int((held.rows == held.owners)[wanted].sum())

    lost = 1 - found(parts[:2000]) / 2000
    spread = np.sqrt(missed(share) / 2000)
    assert lost <= missed(share) + 4 * spread + 1e-3
    # Rows of which a tenth stands there are hardly worth a look.
    assert found([row[:14] for row in rows[:2000]]) < 0.25 * 2000
    if share == 0.5:
        assert lost > 0.5 * missed(share)


def test_the_probability_is_that_of_fewer_than_two_of_eight() -> None:
    draws = np.random.default_rng(0).random((400_000, ANCHORS)) < 0.6
    assert missed(0.6) == pytest.approx((draws.sum(axis=1) < 2).mean(), abs=5e-4)
    assert missed(1.0) == 0


def test_an_anchor_that_all_rows_have_makes_few_pairs() -> None:
    rows = [[*range(30), number] for number in range(1000)]
    held = table_of(rows).look_up(shingles_of(rows))
    assert np.bincount(held.rows).max() <= 16 + ANCHORS
    assert np.unique(held.rows).tolist() == list(range(1000))


def test_rows_without_shingles_have_no_anchors() -> None:
    rows = [[1, 2, 3, 4], [], [1, 2, 3, 4, 5]]
    held = table_of(rows).look_up(shingles_of(rows))
    assert (held.rows.tolist(), held.owners.tolist()) == ([2], [2])
    nothing = table_of(rows[:2]).look_up(shingles_of(rows))
    assert len(nothing.rows) == 0
