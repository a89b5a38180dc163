from typing import Any

import numpy as np
import pytest
import torch
from transformers import default_data_collator

from collapse_guard.errors import ArgumentError
from collapse_guard.rows.collate import MixCollator
from collapse_guard.rows.token_batch import TokenBatch


def make_batch() -> TokenBatch:
    columns = {
        "input_ids": np.array([[5, 6, 7], [8, 9, 0]]),
        "attention_mask": np.array([[1, 1, 1], [1, 1, 0]]),
        "label": np.array([1, 0]),
    }
    return TokenBatch(columns, row_format=None, read_others=lambda: {"text": ["a", "b"]})


def same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(
        ours[name].dtype == theirs[name].dtype and torch.equal(ours[name], theirs[name])
        for name in ours
    )


@pytest.mark.parametrize("looked_at", [False, True])
def test_tensors_are_those_of_the_usual_collator(looked_at: bool) -> None:
    batch = make_batch()
    rows: list[dict[str, Any]] = [
        {name: value for name, value in row.items() if name != "label"} for row in make_batch()
    ]
    expected = default_data_collator(rows) | {"label": torch.tensor([1, 0])}
    assert same(MixCollator()(list(batch) if looked_at else batch), expected)


def test_unread_columns_are_taken_as_they_are() -> None:
    batch = make_batch()
    assert batch.unread_columns is not None
    ids = batch.unread_columns["input_ids"]
    assert np.shares_memory(MixCollator()(batch)["input_ids"].numpy(), ids)
    assert batch.unread_columns is not None  # no row was made


def test_rows_that_somebody_changed_stay_changed() -> None:
    batch = make_batch()
    for row in batch:
        row["input_ids"][0] = 99
    assert MixCollator()(batch)["input_ids"][:, 0].tolist() == [99, 99]


def test_columns_that_are_no_text_are_not_forgotten() -> None:
    batch = TokenBatch(
        {"input_ids": np.array([[5], [6]])},
        row_format=None,
        read_others=lambda: {"score": [0.5, 1.5]},
        others_are_text=False,
    )
    assert MixCollator()(batch)["score"].tolist() == [0.5, 1.5]


@pytest.mark.parametrize("row_format", [None, "numpy", "torch"])
def test_rows_of_every_format_are_stacked(row_format: str | None) -> None:
    columns = {"input_ids": np.array([[5, 6], [8, 9]]), "n": np.array([3, 4])}
    rows = list(TokenBatch(columns, row_format=row_format))
    expected = {name: torch.from_numpy(column) for name, column in columns.items()}
    assert same(MixCollator()(rows), expected)


def test_labels_skip_what_is_masked_out() -> None:
    labels = MixCollator(labels=True)(make_batch())["labels"]
    assert labels.tolist() == [[5, 6, 7], [8, 9, -100]]
    rows = [{"input_ids": [5, 6]}]
    batch = MixCollator(labels=True)(rows)
    assert batch["labels"].tolist() == [[5, 6]]
    batch["labels"][0, 0] = 1
    assert batch["input_ids"].tolist() == [[5, 6]]


def test_labels_that_rows_bring_along_are_kept() -> None:
    rows = [{"input_ids": [5, 6], "labels": [-100, 6]}]
    assert MixCollator(labels=True)(rows)["labels"].tolist() == [[-100, 6]]


def test_floats_stay_floats() -> None:
    assert MixCollator()([{"score": 0.5}, {"score": 1.5}])["score"].tolist() == [0.5, 1.5]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"input_ids": [1]}, {"input_ids": [1, 2]}], "column 'input_ids' of every row"),
        ([{"input_ids": torch.ones(1)}, {"input_ids": torch.ones(2)}], "column 'input_ids'"),
        ([{"input_ids": None}], "column 'input_ids'"),
        ([["a"], ["b"]], "`rows` expected rows with column names"),
        (
            TokenBatch({"input_ids": [np.ones(1, int), np.ones(2, int)]}, row_format=None),
            "column 'input_ids' of every row",
        ),
    ],
)
def test_rows_that_make_no_tensor_are_refused(rows: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        MixCollator()(rows)


def test_labels_need_tokens() -> None:
    with pytest.raises(ArgumentError, match="`labels` expected rows with `input_ids`"):
        MixCollator(labels=True)([{"tokens": [1]}])
