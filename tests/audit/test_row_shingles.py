import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.audit import row_shingles
from collapse_guard.audit.row_shingles import RowShingles
from collapse_guard.human_text.token_rows import TokenRows
from tests.audit.texts import as_text, changed, random_rows

small_rows = st.lists(st.lists(st.integers(0, 2), max_size=12), min_size=1, max_size=5)


def shingle_sets(rows: list[list[int]]) -> list[set[tuple[int, ...]]]:
    return [{tuple(row[at : at + 5]) for at in range(len(row) - 4)} for row in rows]


def all_pairs(left: int, right: int) -> tuple[np.ndarray, np.ndarray]:
    rows, others = np.divmod(np.arange(left * right), right)
    return rows, others


@given(small_rows, small_rows)
def test_what_rows_share_is_what_their_sets_of_runs_share(
    left: list[list[int]], right: list[list[int]]
) -> None:
    ours, theirs = (RowShingles.of(TokenRows.of(rows)) for rows in (left, right))
    assert ours.sizes.tolist() == [len(own) for own in shingle_sets(left)]
    rows, others = all_pairs(len(left), len(right))
    assert ours.shared_with(theirs, rows, others).tolist() == [
        len(own & other) for own in shingle_sets(left) for other in shingle_sets(right)
    ]


@pytest.mark.parametrize("tokens_at_a_time", [1, 7, 30])
def test_slices_change_nothing(tokens_at_a_time: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = TokenRows.of([*random_rows(20, seed=1, least=1, most=40), [], [3] * 50])
    whole = RowShingles.of(rows)
    monkeypatch.setattr(row_shingles, "_TOKENS_AT_A_TIME", tokens_at_a_time)
    sliced = RowShingles.of(rows)
    assert np.array_equal(whole.keys, sliced.keys)
    assert np.array_equal(whole.sizes, sliced.sizes)


def test_words_are_compared_whatever_their_case() -> None:
    generator = np.random.default_rng(0)
    rows = random_rows(20, seed=1)
    others = [changed(row, 2, generator) for row in rows]
    texts, loud = [as_text(row) for row in rows], [as_text(row).upper() for row in others]
    shared = RowShingles.of(texts).shared_with(RowShingles.of(loud), np.arange(20), np.arange(20))
    pairs = zip(shingle_sets(rows), shingle_sets(others), strict=True)
    assert shared.tolist() == [len(own & other) for own, other in pairs]
