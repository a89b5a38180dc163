from typing import Any

import numpy as np
import pytest
import torch

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing.packing.pack import pack_of, segment_of


def parts(row: Any, most: int = 9) -> list[list[int]]:
    return [part.tolist() for part in segment_of(row, most)]


@pytest.mark.parametrize("made", [list, np.array, torch.tensor])
def test_labels_are_the_row_s_own_or_made_of_its_masks(made: Any) -> None:
    ids = made([5, 6, 7])
    assert parts({"input_ids": ids}) == [[5, 6, 7]] * 2
    assert parts({"input_ids": ids, "labels": made([-100, 1, 2])}) == [[5, 6, 7], [-100, 1, 2]]
    masked = {"input_ids": ids, "completion_mask": made([0, 1, 1]), "assistant_masks": [1, 1, 0]}
    assert parts(masked) == [[5, 6, 7], [-100, 6, -100]]
    padded = {"input_ids": ids, "labels": ids, "attention_mask": made([0, 1, 1])}
    assert parts(padded) == [[6, 7]] * 2
    assert parts({"input_ids": ids}, 2) == [[5, 6]] * 2


def test_no_segment_is_predicted_from_another() -> None:
    rows = [{"input_ids": [5, 6, 7]}, {"input_ids": []}, {"input_ids": [8]}, {"input_ids": [9, 5]}]
    pack = pack_of([segment_of(row, 9) for row in rows])
    assert pack["seq_lengths"] == [3, 1, 2]
    assert pack["labels"].tolist() == [-100, 6, 7, -100, -100, 5]
    assert pack["position_ids"].tolist() == [0, 1, 2, 0, 0, 1]
    assert pack_of([segment_of({"input_ids": []}, 9)])["seq_lengths"] == []


@pytest.mark.parametrize(
    "row",
    [
        {"text": "a"},
        "a",
        {"input_ids": [5, 6], "labels": [5]},
        {"input_ids": [5, 6], "attention_mask": [1]},
        {"input_ids": ["a"]},
        {"input_ids": 3},
    ],
)
def test_rows_that_are_not_tokenized_are_refused(row: Any) -> None:
    with pytest.raises(ArgumentError, match="expected rows with `input_ids`"):
        segment_of(row, 9)
