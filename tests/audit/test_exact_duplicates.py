from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.audit.exact_duplicates import empty_rows, find_identical, identity_keys
from collapse_guard.human_text.token_rows import TokenRows

rows_of_ids = st.lists(st.lists(st.integers(0, 2), max_size=3), max_size=12)
texts = st.lists(st.text("ab ", max_size=3), max_size=12)


@given(ours=rows_of_ids, theirs=rows_of_ids)
def test_token_ids_are_found_as_a_list_finds_them(
    ours: list[list[int]], theirs: list[list[int]]
) -> None:
    assert found(TokenRows.of(ours), TokenRows.of(theirs)) == looked_up(ours, theirs)


@given(ours=texts, theirs=texts)
def test_texts_are_found_as_a_list_finds_them(ours: list[str], theirs: list[str]) -> None:
    assert found(ours, theirs) == looked_up(ours, theirs)


def found(ours: TokenRows | list[str], theirs: TokenRows | list[str]) -> list[int]:
    return find_identical(identity_keys(ours), identity_keys(theirs)).tolist()


def looked_up(ours: Sequence[object], theirs: Sequence[object]) -> list[int]:
    return [theirs.index(row) if row in theirs else -1 for row in ours]


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (["", " \n\t", ".", "a"], [True, True, False, False]),
        (TokenRows.of([[], [0], []]), [True, False, True]),
    ],
)
def test_rows_without_content_are_empty(
    contents: TokenRows | list[str], expected: list[bool]
) -> None:
    assert np.array_equal(empty_rows(contents), expected)
