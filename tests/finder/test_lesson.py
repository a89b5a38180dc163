"""The batches that all trials share."""

from collections import Counter
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.finder.lesson import Batch, make_lesson


def numbered(count: int) -> list[dict[str, Any]]:
    """Rows of several lengths, each of its own number only."""
    return [{"input_ids": [number] * (2 + number % 3)} for number in range(count)]


def texts(lesson: list[Batch]) -> list[list[int]]:
    return [ids.tolist() for batch in lesson for ids in batch.texts()]


@given(
    count=st.integers(1, 9), steps=st.integers(1, 5), batch_size=st.integers(1, 4),
    seed=st.integers(0, 3),
)  # fmt: skip
def test_every_row_comes_before_any_comes_again(
    count: int, steps: int, batch_size: int, seed: int
) -> None:
    lesson = make_lesson(numbered(count), steps=steps, batch_size=batch_size, seed=seed)
    assert [len(batch.input_ids) for batch in lesson] == [batch_size] * steps
    shown = [ids[0] for ids in texts(lesson)]
    assert [len(ids) for ids in texts(lesson)] == [2 + number % 3 for number in shown]
    for first in range(0, len(shown), count):
        assert max(Counter(shown[first : first + count]).values()) == 1


def test_the_seed_decides_the_order_and_more_steps_begin_alike() -> None:
    def order(seed: int, steps: int = 3) -> list[list[int]]:
        return texts(make_lesson(numbered(40), steps=steps, batch_size=4, seed=seed))

    assert order(0) == order(0) != order(1)
    assert order(0, 9)[:12] == order(0)


def test_padding_is_taken_out_wherever_it_stands_and_nothing_is_learnt_from_it() -> None:
    row = {
        "input_ids": [9, 9, 1, 2, 3, 9],
        "attention_mask": [0, 0, 1, 1, 1, 0],
        "drawn_mask": [1, 1, 0, 1, 1, 1],
    }
    (batch,) = make_lesson([row], steps=1, batch_size=1, seed=0)
    assert batch.input_ids.tolist() == batch.labels.tolist() == [[1, 2, 3]]
    assert batch.drawn.tolist() == [[0, 1, 1]]


def test_shorter_rows_are_padded_on_the_right() -> None:
    (batch,) = make_lesson(numbered(3)[1:], steps=1, batch_size=2, seed=0)
    short = int((batch.labels == -100).any(1).int().argmax())
    assert batch.labels[short].tolist() == [1, 1, 1, -100]
    assert batch.input_ids[short].tolist() == [1, 1, 1, 0]
    assert batch.drawn[short].tolist() == [1, 1, 1, 0]


def test_a_batch_in_parts_is_the_batch() -> None:
    (batch,) = make_lesson(numbered(7), steps=1, batch_size=7, seed=0)
    parts = batch.parts(3)
    assert [len(part.input_ids) for part in parts] == [3, 3, 1]
    assert texts(parts) == texts([batch])
    for part in parts:
        assert part.labels.shape[1] == max(len(ids) for ids in part.texts())


@pytest.mark.parametrize("kind", ["numpy", "torch", "dataset", "shuffled data set"])
def test_rows_of_every_make_are_read(kind: str) -> None:
    rows: Any = numbered(6)
    expected = texts(make_lesson(rows, steps=2, batch_size=3, seed=0))
    if kind == "numpy":
        rows = [{"input_ids": np.array(row["input_ids"], np.int32)} for row in rows]
    elif kind == "torch":
        rows = [{"input_ids": torch.tensor(row["input_ids"])} for row in rows]
    else:
        rows = datasets.Dataset.from_list([{**row, "text": "unread"} for row in rows])
    if kind == "shuffled data set":
        rows = rows.select(range(5, -1, -1)).select(range(5, -1, -1))
    assert texts(make_lesson(rows, steps=2, batch_size=3, seed=0)) == expected


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "rows"),
        ([[1, 2]], "mappings with a column `input_ids`"),
        ([{"text": "a"}], r"mappings with a column `input_ids`, but got \['text'\]"),
        ([{"input_ids": [0.5, 1.0]}], "whole numbers in column `input_ids`"),
        ([{"input_ids": [[1, 2]]}], "whole numbers in column `input_ids`"),
        ([{"input_ids": [1, 2], "drawn_mask": [1]}], "as many values in each column"),
        ([{"input_ids": [1, 2], "attention_mask": [1, 1, 1]}], "as many values in each column"),
    ],
)
def test_rows_of_another_kind_are_refused(rows: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make_lesson(rows, steps=1, batch_size=1, seed=0)


def test_what_the_run_leaves_out_of_its_loss_is_left_out_here() -> None:
    row = {"input_ids": [1, 2, 3, 4], "labels": [-100, -100, 3, 4]}
    (batch,) = make_lesson([row], steps=1, batch_size=1, seed=0)
    assert batch.input_ids.tolist() == [[1, 2, 3, 4]]
    assert batch.labels.tolist() == [[-100, -100, 3, 4]]
    assert batch.drawn.tolist() == [[0, 0, 1, 1]]
    assert texts([batch]) == [[1, 2, 3, 4]]
