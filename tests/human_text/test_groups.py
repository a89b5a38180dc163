"""Labels as people have them: lists, columns, arrays, with gaps."""

from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import given, strategies as st

from collapse_guard import ArgumentError
from collapse_guard.human_text.groups import group_numbers


@given(labels=st.lists(st.sampled_from("abcd"), max_size=12))
def test_equal_labels_get_one_number_as_they_come(labels: list[str]) -> None:
    if len(labels) > 1 and len(set(labels)) == 1:
        return
    numbers = group_numbers(labels, len(labels)).tolist()
    assert numbers == [list(dict.fromkeys(labels)).index(label) for label in labels]


def test_without_labels_each_is_its_own() -> None:
    assert group_numbers(None, 3).tolist() == [0, 1, 2]
    assert group_numbers([], 0).tolist() == group_numbers(None, 0).tolist() == []


@pytest.mark.parametrize(
    "labels",
    [
        (7, 7, 9),
        np.array([7, 7, 9]),
        torch.tensor([7, 7, 9]),
        iter([("author", 7), ("author", 7), ("author", 9)]),
        Dataset.from_dict({"title": ["x", "x", "y"]})["title"],
        (label for label in "xxy"),
    ],
    ids=["tuple", "array", "tensor", "pairs", "column", "generator"],
)
def test_labels_may_come_in_anything(labels: Any) -> None:
    assert group_numbers(labels, 3).tolist() == [0, 0, 1]


class Unsure:
    """Of which, as of pandas' missing value, nobody can say whether it is equal to itself."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        return self

    __ne__ = __eq__

    def __bool__(self) -> bool:
        raise TypeError("ambiguous")


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["x", None, "y"], "None for document 1"),
        (["x", "y", float("nan")], "nan for document 2"),
        (np.array([1.0, np.nan, 2.0]), "nan for document 1"),
        (["x", "y", Unsure()], "Unsure .*for document 2"),
        (np.array([[1], [2], [3]]), r"\[1\] for document 0"),
        (["x", "y"], "2 labels for 3 documents"),
        (["x", "y", "y", "x"], "4 labels for 3 documents"),
        ("xyz", "'xyz'"),
        (7, "7"),
        (["x", "x", "x"], "'x' for all 3 documents"),
    ],
)
def test_what_labels_nothing_is_refused(labels: Any, told: str) -> None:
    with pytest.raises(ArgumentError, match=f"`groups` expected .*{told}"):
        group_numbers(labels, 3)
