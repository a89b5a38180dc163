"""References that are made by hand are refused where they cannot be."""

import numpy as np
import pytest

from collapse_guard import ArgumentError, HumanReference
from collapse_guard.human_text.given_counts import as_counts, check_column, check_integers


def test_counts_are_copied() -> None:
    given = np.array([3, 1])
    counts = as_counts(given)
    given[0] = 9
    assert counts.tolist() == [3, 1]
    assert counts.dtype == np.int64


@pytest.mark.parametrize(
    "given", [[0.5], [-1], [[1]], ["a"], None, 3, np.array([2**64 - 1], np.uint64), [2**63]]
)
def test_other_counts_are_refused(given: object) -> None:
    with pytest.raises(ArgumentError, match="`counts` expected for each type how often it occurs"):
        as_counts(given)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("smoothing", 0),
        ("smoothing", "1"),
        ("tail_mass", 0.5),
        ("tail_mass", None),
        ("fingerprint", 3),
        ("special_ids", (3,)),
        ("special_ids", (-1,)),
        ("special_ids", 1),
        ("left_out", [1]),
    ],
)
def test_what_cannot_be_said_of_counts_is_refused(name: str, given: object) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}` expected"):
        HumanReference(np.array([6, 3, 1]), **{name: given})


def test_columns_and_ids_are_asked_for_what_they_are() -> None:
    check_integers(np.array([1, 2]))
    with pytest.raises(ArgumentError, match="`ids` expected an array of whole numbers"):
        check_integers([1, 2])
    with pytest.raises(ArgumentError, match="`column` expected one of the data set's columns None"):
        check_column([[1, 2]], "input_ids")
