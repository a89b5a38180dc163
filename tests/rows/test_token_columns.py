"""Against pyarrow's own conversion to Python lists, for columns cut up in every way."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from collapse_guard.rows.token_columns import (
    EvenColumn,
    RaggedColumn,
    text_column,
    token_column,
)

TYPES = [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64()]


def in_pieces(values: list[Any], arrow_type: pa.DataType, cuts: list[int]) -> pa.ChunkedArray:
    """The values in chunks, each a slice of a longer array, as `Table.slice` leaves them behind."""
    whole = pa.array(values + values, type=arrow_type)
    ends = [*sorted(cut % (len(values) + 1) for cut in cuts), len(values)]
    starts = [0, *ends[:-1]]
    return pa.chunked_array([whole[a:b] for a, b in zip(starts, ends, strict=True)], arrow_type)


def as_lists(read: Any) -> list[Any]:
    return [np.asarray(row).tolist() for row in read]


@given(
    data=st.data(),
    number=st.sampled_from(TYPES),
    shape=st.sampled_from(["number", "list", "large_list", "fixed", "ragged"]),
    num_rows=st.integers(1, 12),
    cuts=st.lists(st.integers(0, 100), max_size=3),
)
def test_rows_are_what_pyarrow_says_they_are(
    data: st.DataObject, number: pa.DataType, shape: str, num_rows: int, cuts: list[int]
) -> None:
    numbers = st.integers(0, 127)
    width = data.draw(st.integers(1, 5))
    if shape == "number":
        rows, arrow_type = numbers, number
    elif shape == "ragged":
        rows, arrow_type = st.lists(numbers, max_size=4), pa.list_(number)
    else:
        rows = st.lists(numbers, min_size=width, max_size=width)
        arrow_type = {
            "list": pa.list_(number),
            "large_list": pa.large_list(number),
            "fixed": pa.list_(number, width),
        }[shape]
    values = data.draw(st.lists(rows, min_size=num_rows, max_size=num_rows))
    column = in_pieces(values, arrow_type, cuts)
    wanted = data.draw(st.lists(st.integers(0, num_rows - 1), min_size=1, max_size=8))

    read = token_column(column)
    assert read is not None
    assert as_lists(read.read(np.array(wanted))) == [column[row].as_py() for row in wanted]
    if shape != "ragged":
        assert isinstance(read, EvenColumn)
        assert read.read(np.array(wanted)).dtype == np.int64


@given(
    texts=st.lists(st.text(max_size=4), min_size=1, max_size=9),
    arrow_type=st.sampled_from([pa.string(), pa.large_string()]),
    cuts=st.lists(st.integers(0, 100), max_size=3),
    data=st.data(),
)
def test_texts_are_what_pyarrow_says_they_are(
    texts: list[str], arrow_type: pa.DataType, cuts: list[int], data: st.DataObject
) -> None:
    column = text_column(in_pieces(texts, arrow_type, cuts))
    wanted = data.draw(st.lists(st.integers(0, len(texts) - 1), min_size=1, max_size=8))
    assert column is not None
    assert column.read(np.array(wanted)) == [texts[row] for row in wanted]


@pytest.mark.parametrize(
    "column", [pa.array(["a", None]), pa.array([1]), pa.array([b"a"]), pa.array([], pa.string())]
)
def test_what_is_no_text_is_left_alone(column: pa.Array) -> None:
    assert text_column(pa.chunked_array([column])) is None


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, None]),
        pa.array([[1], None]),
        pa.array([[1], [None]]),
        pa.array([1, 2], pa.uint64()),
        pa.array([1.0]),
        pa.array([[1.0]]),
        pa.array([True]),
        pa.array([["a"]]),
        pa.array([[[1]]]),
        pa.array([{"a": 1}]),
        pa.array(["a"]),
        pa.array([], pa.int64()),
    ],
    ids=lambda column: f"{column.type}",
)
def test_everything_else_is_left_alone(column: pa.Array) -> None:
    assert token_column(pa.chunked_array([column])) is None


def test_nothing_is_copied_to_make_a_column() -> None:
    for values in (pa.array([[1, 2], [3, 4]]), pa.array([[1], [3, 4]])):
        column = token_column(pa.chunked_array([values]))
        buffer = np.frombuffer(values.buffers()[-1], dtype=np.int64)
        assert isinstance(column, EvenColumn | RaggedColumn)
        (piece,) = column._pieces
        assert np.shares_memory(piece[-1] if isinstance(piece, tuple) else piece, buffer)


def test_rows_that_are_read_are_copies() -> None:
    values = pa.array([[1, 2], [3, 4]], pa.list_(pa.int64()))
    for pieces in ([values], [values, values]):
        column = token_column(pa.chunked_array(pieces))
        assert column is not None
        read = column.read(np.array([1, 0]))
        assert isinstance(read, np.ndarray)
        read[:] = 9
    assert values.to_pylist() == [[1, 2], [3, 4]]


def test_a_long_column_is_looked_at_to_its_end() -> None:
    """Lengths are compared in parts: a last row of another length must not slip through."""
    even = np.ones(3 * (1 << 20) + 5, dtype=np.int8)
    offsets = np.arange(0, len(even) + 1, dtype=np.int32)
    for odd in (None, 1 << 20, len(offsets) - 1):
        cut = offsets.copy()
        if odd is not None:
            cut[odd] -= 1
        column = pa.ListArray.from_arrays(pa.array(cut), pa.array(even))
        kind = EvenColumn if odd is None else RaggedColumn
        assert isinstance(token_column(pa.chunked_array([column])), kind)
