"""Marks travel in labels, and come out of them again whole."""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.model.marked_labels import are_marked, mark_labels, unmark_labels

LABELS = st.lists(
    st.tuples(st.one_of(st.just(-100), st.integers(0, 2**20 - 1)), st.integers(0, 2**20)),
    min_size=1,
)


@given(LABELS)
def test_what_is_marked_comes_out_again(rows: list[tuple[int, int]]) -> None:
    labels, drawn_with = torch.tensor(rows).T
    tokens, numbers = unmark_labels(mark_labels(labels, drawn_with))
    assert torch.equal(tokens, labels)
    assert torch.equal(numbers, torch.where(labels == -100, 0, drawn_with))


def test_the_labels_that_count_are_the_same_as_before() -> None:
    """A Trainer divides by the number of labels that are not -100."""
    labels = torch.tensor([[-100, 3, 0], [-100, -100, 9]])
    marked = mark_labels(labels, torch.tensor([[2], [1]]))
    assert torch.equal(marked == -100, labels == -100)


def test_arrays_are_marked_as_tensors_are() -> None:
    labels, drawn_with = np.array([[4, -100], [0, 5]]), np.array([[3], [0]])
    marked = mark_labels(labels, drawn_with)
    assert marked.dtype == np.int64
    assert (
        marked.tolist()
        == mark_labels(torch.from_numpy(labels), torch.from_numpy(drawn_with)).tolist()
    )


def test_labels_that_nobody_drew_are_left_alone() -> None:
    labels = torch.tensor([5, -100, 0])
    assert torch.equal(mark_labels(labels, 0), labels)
    assert not are_marked(labels)
    assert are_marked(mark_labels(labels, torch.tensor([0, 0, 1])))


def test_marking_twice_is_refused() -> None:
    marked = mark_labels(torch.tensor([5, 6]), 1)
    with pytest.raises(ArgumentError, match="mark labels once only"):
        mark_labels(marked, 1)


@pytest.mark.parametrize("given", [[5, -100], np.array([5, -100]), torch.tensor([5.0])])
def test_what_are_no_labels_cannot_be_unmarked(given: object) -> None:
    with pytest.raises(ArgumentError, match="`labels` expected a tensor of integers"):
        unmark_labels(given)
