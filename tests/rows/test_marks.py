"""Labels that are marked as rows are read, whatever the rows are made of."""

import math
from collections.abc import Callable
from typing import Any

import datasets
import numpy as np
import pytest
import torch

from collapse_guard.errors import ArgumentError
from collapse_guard.model.decoding import VLLM_ORDER, Decoding
from collapse_guard.model.marked_labels import mark_labels, unmark_labels
from collapse_guard.rows.batch_reader import BatchReader
from collapse_guard.rows.marks import LOSS_MASKS, TAKEN_OUT, Marks, with_decodings
from collapse_guard.rows.row_source import RowSource
from collapse_guard.rows.source import Source

COOL, NARROW = Decoding(temperature=0.8), Decoding(top_k=20)

HUMAN = [{"input_ids": [5, 1, n, 2]} for n in range(3)]
WRITTEN = [{"input_ids": [5, 9, n, 7], "drawn_mask": [0, 0, 1, 1]} for n in range(3)]

CONTAINERS: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "list": list,
    "arrays": lambda rows: [{k: np.array(v) for k, v in row.items()} for row in rows],
    "tensors": lambda rows: [{k: torch.tensor(v) for k, v in row.items()} for row in rows],
    "data set": datasets.Dataset.from_list,
    "data set of tensors": lambda rows: datasets.Dataset.from_list(rows).with_format("torch"),
    "data set of arrays": lambda rows: datasets.Dataset.from_list(rows).with_format("numpy"),
}
EACH_CONTAINER = pytest.mark.parametrize("make", CONTAINERS.values(), ids=CONTAINERS)


def source_of(rows: Any, decoding: Any, name: str = "model") -> Source:
    return Source(rows, name, "synthetic", decoding=decoding)


def read(sources: list[Source], which: list[int], numbers: list[int]) -> list[Any]:
    opened = [with_decodings(s, RowSource(s.name, s.rows)) for s in sources]
    of_source = np.array(which)
    rows = BatchReader([s.rows for s in sources]).read(of_source, np.array(numbers))  # type: ignore[misc]
    return Marks(opened).mark(rows, of_source)


def parts(row: dict[str, Any]) -> tuple[list[int], list[int]]:
    tokens, drawn_with = unmark_labels(torch.as_tensor(np.asarray(row["labels"])))
    return tokens.tolist(), drawn_with.tolist()


@EACH_CONTAINER
def test_each_token_is_marked_with_what_drew_it(make: Callable[[Any], Any]) -> None:
    sources = [
        Source(make(HUMAN), "human", "human"),
        source_of(make(WRITTEN), COOL, "first"),
        source_of(make(WRITTEN), NARROW, "second"),
    ]
    rows = read(sources, [0, 1, 2, 1], [2, 0, 1, 2])
    assert [parts(row) for row in rows] == [
        ([5, 1, 2, 2], [0, 0, 0, 0]),
        ([5, 9, 0, 7], [0, 0, 1, 1]),
        ([5, 9, 1, 7], [0, 0, 2, 2]),
        ([5, 9, 2, 7], [0, 0, 1, 1]),
    ]
    assert all(set(row) == {"input_ids", "labels"} for row in rows)
    assert Marks(sources).decodings == (COOL, NARROW)


@EACH_CONTAINER
def test_labels_are_of_the_kind_of_the_tokens(make: Callable[[Any], Any]) -> None:
    (row,) = read([source_of(make(WRITTEN), COOL)], [0], [1])
    assert type(row["labels"]) is type(row["input_ids"])


@pytest.mark.parametrize("ragged", [False, True], ids=["even", "ragged"])
def test_columns_of_numbers_are_marked_without_making_rows(ragged: bool) -> None:
    rows = [{"input_ids": [1, 2, 3][: 3 - ragged * (n % 2)]} for n in range(6)]
    source = source_of(datasets.Dataset.from_list(rows), COOL)
    batch: Any = read([source], [0] * 6, list(range(6)))
    columns = batch.unread_columns
    assert columns is not None
    expected = [mark_labels(np.array(row["input_ids"]), 1).tolist() for row in rows]
    assert [label.tolist() for label in columns["labels"]] == expected
    assert isinstance(columns["labels"], np.ndarray) is not ragged


@EACH_CONTAINER
def test_labels_that_are_there_stay_and_what_is_ignored_stays_so(
    make: Callable[[Any], Any],
) -> None:
    rows = [{"input_ids": [5, 9, 3, 7], "labels": [-100, -100, 3, 7]}]
    (row,) = read([source_of(make(rows), COOL)], [0], [0])
    assert parts(row) == ([-100, -100, 3, 7], [0, 0, 1, 1])


@EACH_CONTAINER
def test_labels_are_made_as_collators_make_them(make: Callable[[Any], Any]) -> None:
    rows = [{"input_ids": [5, 9, 3, 0], "attention_mask": [0, 1, 1, 0]}]
    (row,) = read([source_of(make(rows), COOL)], [0], [0])
    assert parts(row) == ([-100, 9, 3, -100], [0, 1, 1, 0])
    assert set(row) == {"input_ids", "attention_mask", "labels"}


@pytest.mark.parametrize("mask", LOSS_MASKS)
@EACH_CONTAINER
def test_a_mask_that_a_trainer_may_heed_or_not_asks_for_labels(
    make: Callable[[Any], Any], mask: str
) -> None:
    rows = [{"input_ids": [5, 9], mask: [0, 1]}]
    with pytest.raises(ArgumentError, match=f"`labels` expected labels in rows with a `{mask}`"):
        read([source_of(make(rows), COOL)], [0], [0])
    with_labels = [{**rows[0], "labels": [-100, 9]}]
    (row,) = read([source_of(make(with_labels), COOL)], [0], [0])
    assert parts(row) == ([-100, 9], [0, 1])


@EACH_CONTAINER
def test_rows_without_an_attention_mask_get_one_where_others_have_one(
    make: Callable[[Any], Any],
) -> None:
    marks = Marks([source_of([], COOL)], fills_mask=True)
    rows = [make([{"input_ids": [5, 9]}])[0], make([{"input_ids": [5], "attention_mask": [0]}])[0]]
    filled, kept = marks.mark(rows, np.zeros(2, dtype=np.int64))
    assert [list(map(int, row["attention_mask"])) for row in (filled, kept)] == [[1, 1], [0]]
    assert type(filled["attention_mask"]) is type(filled["input_ids"])


@EACH_CONTAINER
def test_rows_say_themselves_how_they_were_drawn(make: Callable[[Any], Any]) -> None:
    rows = [
        {"input_ids": [1, 2], "temperature": 0.8, "top_k": 0, "text": "a"},
        {"input_ids": [1, 3], "temperature": 1.0, "top_k": 20, "text": "b"},
        {"input_ids": [1, 4], "temperature": 0.8, "top_k": 0, "text": "c"},
    ]
    if make in (CONTAINERS["arrays"], CONTAINERS["tensors"]):
        rows = [{name: v for name, v in row.items() if name != "text"} for row in rows]
    (source,) = [
        with_decodings(s, RowSource(s.name, s.rows)) for s in [source_of(make(rows), "columns")]
    ]
    assert source.decoding == (COOL, NARROW)
    marked = read([source], [0, 0, 0], [0, 1, 2])
    assert [parts(row)[1] for row in marked] == [[1, 1], [2, 2], [1, 1]]
    assert not any(set(row) & set(TAKEN_OUT) for row in marked)


def test_a_row_whose_columns_say_nothing_has_the_plain_loss() -> None:
    rows = [{"input_ids": [1, 2], "temperature": t} for t in (0.8, None)]
    marked = read([source_of(datasets.Dataset.from_list(rows), "columns")], [0, 0], [0, 1])
    assert [parts(row)[1] for row in marked] == [[1, 1], [0, 0]]


def test_the_order_of_cuts_is_read_too() -> None:
    rows = [{"input_ids": [1], "temperature": 1.0, "min_p": 0.1, "cut_order": ",".join(VLLM_ORDER)}]
    source = source_of(rows, "columns")
    known = with_decodings(source, RowSource("model", rows)).decoding
    assert known == (Decoding(min_p=0.1, order=VLLM_ORDER),)


def test_a_listed_decoding_is_looked_up_and_another_refused() -> None:
    rows = [{"input_ids": [1, 2], "temperature": 0.8}, {"input_ids": [1, 2], "temperature": 0.7}]
    marks = Marks([source_of(rows, [NARROW, COOL])])
    assert parts(marks.mark(rows[:1], np.array([0]))[0])[1] == [2, 2]
    with pytest.raises(ArgumentError, match=r"T 0\.7"):
        marks.mark(rows[1:], np.array([0]))


def test_what_is_to_be_found_has_its_place_already() -> None:
    before = [source_of(HUMAN, "find", "a"), source_of(HUMAN, COOL, "b")]
    after = [source_of(HUMAN, NARROW, "a"), source_of(HUMAN, COOL, "b")]
    for which in (0, 1):
        rows = [Marks(s).mark(list(HUMAN), np.full(3, which)) for s in (before, after)]
        assert rows[0] == rows[1]
    with pytest.raises(ArgumentError, match="for source 'a'"):
        _ = Marks(before).decodings
    assert Marks(after).decodings == (NARROW, COOL)


def test_texts_are_refused_with_what_to_do() -> None:
    source = source_of([{"text": "a"}], COOL)
    with pytest.raises(ArgumentError, match=r"the very token ids that were drawn.*tokenize"):
        with_decodings(source, RowSource("model", source.rows))


def test_a_stream_must_list_what_its_columns_may_say() -> None:
    with pytest.raises(ArgumentError, match="the decodings themselves, for a stream"):
        with_decodings(source_of([], "columns"), iter([]))


@pytest.mark.parametrize("decoding", ["columns", [COOL], [COOL, NARROW]])
def test_columns_without_a_temperature_are_refused(decoding: Any) -> None:
    """Which of several it is must be said, or all rows would have the plain loss unawares."""
    source = source_of([{"input_ids": [1], "top_p": 0.9}], decoding)
    with pytest.raises(ArgumentError, match="a column `temperature`"):
        with_decodings(source, RowSource("model", source.rows))


def test_a_row_of_a_stream_without_a_temperature_is_refused() -> None:
    marks = Marks([source_of([], [COOL, NARROW])])
    with pytest.raises(ArgumentError, match="a column `temperature`"):
        marks.mark([{"input_ids": [1, 2]}], np.array([0]))


def test_columns_that_say_nothing_in_any_row_are_refused() -> None:
    source = source_of([{"input_ids": [1], "temperature": None}], "columns")
    with pytest.raises(ArgumentError, match="a temperature in some row of 'model'"):
        with_decodings(source, RowSource("model", source.rows))


@pytest.mark.parametrize("mask", [[0.0, 0.9], [0.0, math.nan]])
def test_masks_of_other_numbers_are_refused(mask: list[float]) -> None:
    rows = [{"input_ids": [1, 2], "drawn_mask": mask}]
    with pytest.raises(ArgumentError, match="`drawn_mask` expected whole numbers"):
        Marks([source_of(rows, COOL)]).mark(rows, np.array([0]))


def test_columns_of_none_are_as_if_they_were_not_there() -> None:
    rows = [{"input_ids": [1, 2], "attention_mask": None, "drawn_mask": None}]
    assert parts(Marks([source_of(rows, COOL)]).mark(rows, np.array([0]))[0]) == ([1, 2], [1, 1])


def test_a_mask_of_another_length_is_refused() -> None:
    rows = [{"input_ids": [1, 2, 3], "drawn_mask": [1, 1]}]
    with pytest.raises(ArgumentError, match="`drawn_mask` expected 3 values"):
        Marks([source_of(rows, COOL)]).mark(rows, np.array([0]))


def test_a_row_without_tokens_is_refused_with_its_source() -> None:
    with pytest.raises(ArgumentError, match="`web` expected rows with `input_ids`"):
        Marks([source_of([], COOL, "web")]).mark([{"text": "a"}], np.array([0]))


@pytest.mark.parametrize(
    ("decoding", "kind", "message"),
    [
        (COOL, "human", "None for human rows"),
        (0.8, "synthetic", "a Decoding"),
        ([], "synthetic", "a Decoding"),
        ("guess", "synthetic", "a Decoding"),
        (Decoding(top_k=1), "synthetic", "a top-k above 1"),
    ],
)
def test_decodings_that_cannot_work_are_refused(decoding: Any, kind: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=f"`decoding` expected {message}"):
        Source([], "model", kind, decoding=decoding)
