from typing import Any

import datasets
import numpy as np
import pytest
import torch

from collapse_guard.errors import ArgumentError
from collapse_guard.rows.row_source import RowSource
from collapse_guard.rows.token_counts import row_tokens, trained_tokens

ROWS = [
    {"input_ids": [5, 6, 7, 8], "attention_mask": [1, 1, 1, 0]},
    {"input_ids": [], "attention_mask": []},
    {"input_ids": [5], "attention_mask": [1]},
    {"input_ids": [5, 6], "attention_mask": [0, 1]},
]


def source(rows: Any) -> RowSource:
    return RowSource("wiki", rows)


def as_made(rows: list[dict[str, Any]], kind: str) -> Any:
    if kind == "list":
        return rows
    if kind == "tensors":
        return [{name: torch.tensor(value) for name, value in row.items()} for row in rows]
    made = datasets.Dataset.from_list(rows)
    return made.select([3, 2, 1, 0]).select([3, 2, 1, 0]) if kind == "selected" else made


@pytest.mark.parametrize("kind", ["list", "tensors", "dataset", "selected"])
def test_all_but_the_first_token_is_trained_on_and_padding_is_not(kind: str) -> None:
    rows = as_made(ROWS, kind)
    # A padded place on the left is first, and what follows it is predicted, if from nothing.
    assert trained_tokens(source(rows)).tolist() == [2, 0, 0, 1]
    assert row_tokens(source(rows)).tolist() == [3, 0, 1, 1]


def test_labels_say_it_where_there_are_some() -> None:
    rows = [
        {"input_ids": [5, 6, 7], "labels": [5, -100, 7], "completion_mask": [0, 0, 0]},
        {"input_ids": [5, 6], "labels": [-100, -100], "completion_mask": [1, 1]},
    ]
    assert trained_tokens(source(rows)).tolist() == [1, 0]
    assert trained_tokens(source(datasets.Dataset.from_list(rows))).tolist() == [1, 0]


@pytest.mark.parametrize("name", ["completion_mask", "assistant_masks"])
def test_masks_say_it_where_there_are_no_labels(name: str) -> None:
    rows = [{"input_ids": [5, 6, 7, 8], name: [0, 0, 1, 1]}]
    assert trained_tokens(source(rows)).tolist() == [2]
    both = [{**rows[0], "completion_mask": [0, 1, 1, 0], "assistant_masks": [0, 0, 1, 1]}]
    assert trained_tokens(source(both)).tolist() == [1]
    assert row_tokens(source(both)).tolist() == [4]


def test_as_many_as_the_loss_counts() -> None:
    """Against the loss itself: the sum of losses of logits that make each of them log(10)."""
    from transformers.loss.loss_utils import ForCausalLMLoss

    labels = torch.tensor([[3, 4, -100, 5, 6], [-100, -100, 7, 8, -100]])
    loss = ForCausalLMLoss(torch.zeros(2, 5, 10), labels, 10, num_items_in_batch=1)
    rows = [{"labels": row} for row in labels.tolist()]
    assert trained_tokens(source(rows)).sum() == round(float(loss) / np.log(10))


def test_thousands_of_rows_are_read_in_parts() -> None:
    rows = [{"input_ids": list(range(number % 7))} for number in range(3000)]
    counts = trained_tokens(source(datasets.Dataset.from_list(rows)))
    assert counts.tolist() == [max(number % 7 - 1, 0) for number in range(3000)]


class TestLengths:
    ROWS = ({"text": "a b", "num_tokens": 2}, {"text": "c", "num_tokens": 0})

    def test_a_column_or_a_function_says_it(self) -> None:
        assert trained_tokens(source(list(self.ROWS)), "num_tokens").tolist() == [2, 0]
        made = datasets.Dataset.from_list(list(self.ROWS))
        assert trained_tokens(source(made), "num_tokens").tolist() == [2, 0]
        split = trained_tokens(source(made), lambda row: len(row["text"].split()))
        assert split.tolist() == [2, 1]

    @pytest.mark.parametrize("given", [-1, 1.5, 2**31, float("nan"), "many", None])
    def test_what_is_no_number_of_tokens_is_refused(self, given: Any) -> None:
        with pytest.raises(ArgumentError, match="`lengths` expected a whole number from 0"):
            trained_tokens(source([{"n": given}]), "n")

    def test_a_column_that_is_missing_is_refused(self) -> None:
        with pytest.raises(ArgumentError, match=r"expected one of the columns \['num_tokens'"):
            trained_tokens(source(list(self.ROWS)), "length")

    @pytest.mark.parametrize("given", [3, [1, 2], ["num_tokens"]])
    def test_what_names_no_column_is_refused(self, given: Any) -> None:
        with pytest.raises(ArgumentError, match="`lengths` expected the name of a column"):
            trained_tokens(source(list(self.ROWS)), given)


@pytest.mark.parametrize("rows", [[{"text": "a"}], ["a"], [3]])
def test_rows_without_tokens_are_refused_with_what_to_do(rows: Any) -> None:
    with pytest.raises(ArgumentError, match=r"`unit` expected tokenized rows.*num_tokens"):
        trained_tokens(source(rows))
    with pytest.raises(ArgumentError, match="expected rows with `input_ids`"):
        row_tokens(source(rows))


@pytest.mark.parametrize(
    "row",
    [
        {"input_ids": [5, 6], "completion_mask": [1]},
        {"input_ids": [[5, 6]]},
        {"input_ids": ["a"]},
        {"input_ids": 3},
    ],
)
def test_tokens_and_masks_that_do_not_fit_are_refused(row: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        trained_tokens(source([row]))
