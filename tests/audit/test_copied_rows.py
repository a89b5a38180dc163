from typing import Any

import numpy as np

from collapse_guard.audit.copied_rows import find_copies
from collapse_guard.audit.distinct import Distinct
from collapse_guard.audit.likeness import Closest
from tests.audit.texts import distinct_of


def found(distinct: Distinct, closest: Closest | None) -> list[tuple[Any, ...]]:
    rows = distinct.rows_of("human")
    copies = find_copies(distinct, rows, distinct.first["human"], closest, lambda o: o < rows)
    return [(c.source, c.other, *(each.tolist() for each in c[2:])) for c in copies]


def test_identical_rows_are_told_by_pairs_of_sources() -> None:
    assert found(
        distinct_of(("0", "human", ["a", "b", "a"]), ("1", "human", ["b", "c"])), None
    ) == [
        ("0", "0", [2], [0], [1.0], [True]),
        ("1", "0", [0], [1], [1.0], [True]),
    ]


def test_what_is_nearly_the_same_comes_after_what_is_the_same() -> None:
    distinct = distinct_of(("0", "human", ["a", "b", "a", "c"]))
    closest = Closest(np.array([-1, 0, 1]), np.array([0.0, 0.7, 0.9]))
    assert found(distinct, closest) == [
        ("0", "0", [1, 2, 3], [0, 0, 1], [0.7, 1.0, 0.9], [False, True, False])
    ]
