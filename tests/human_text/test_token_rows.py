from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.human_text.token_rows import TokenRows

rows_of_ids = st.lists(st.lists(st.integers(-(2**40), 2**40), max_size=5), max_size=8)


@given(rows=rows_of_ids, as_arrays=st.booleans())
def test_rows_are_joined_and_taken_apart_again(rows: list[list[int]], as_arrays: bool) -> None:
    given: Any = [np.array(row, dtype=np.int64) for row in rows] if as_arrays else rows
    assert [ids.tolist() for ids in TokenRows.of(given).split()] == rows


@given(rows=rows_of_ids, data=st.data())
def test_masked_tokens_are_left_out(rows: list[list[int]], data: st.DataObject) -> None:
    mask = [[data.draw(st.booleans()) for _ in row] for row in rows]
    masked = TokenRows.of(rows).masked(np.array(list(chain(*mask)), dtype=bool))
    assert [ids.tolist() for ids in masked.split()] == [
        [token for token, kept in zip(row, keep, strict=True) if kept]
        for row, keep in zip(rows, mask, strict=True)
    ]


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.int32()), pa.large_list(pa.int64()), pa.list_(pa.uint16(), 2)]
)
def test_arrow_columns_are_read_chunk_by_chunk(kind: pa.DataType) -> None:
    chunks = [pa.array(chunk, kind) for chunk in ([[1, 2], [3, 4]], [], [[5, 6]])]
    # A slice begins in the middle of its buffers.
    column = pa.chunked_array([chunks[0].slice(1), *chunks[1:]])
    assert [ids.tolist() for ids in TokenRows.of_arrow(column).split()] == [[3, 4], [5, 6]]


def test_a_missing_list_has_no_tokens() -> None:
    column = pa.chunked_array([[[1], None, [2]]])
    assert [ids.tolist() for ids in TokenRows.of_arrow(column).split()] == [[1], [], [2]]


@pytest.mark.parametrize("values", [[[1, None]], [[0.5]], [["a"]]])
def test_lists_of_something_else_are_refused(values: Any) -> None:
    with pytest.raises(ArgumentError, match="`column` expected token ids"):
        TokenRows.of_arrow(pa.chunked_array([values]))
