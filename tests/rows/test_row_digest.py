"""Rows that are alike have the same digest, in any process, and others have another."""

import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from collapse_guard.rows.row_digest import row_digest
from tests.packaging.layout import ROOT


class Opaque:
    """What cannot be looked into."""


ROWS: list[Any] = [
    None,
    0,
    1,
    1.0,
    True,
    "1",
    b"1",
    "\ud800",
    [1, 2],
    [[1], 2],
    [1, [2]],
    (1, 2),
    {"a": 1},
    {"a": [1]},
    {"b": 1},
    np.array([1, 2]),
    np.array([[1, 2]]),
    np.int64(1),
    torch.tensor([1, 2]),
    torch.tensor([1, 3]),
    {"ids": torch.tensor([1])},
    pa.table({"a": [1]}),
    pa.table({"a": [2]}),
    Opaque(),
]


def test_other_rows_have_another() -> None:
    assert len({row_digest(row) for row in ROWS}) == len(ROWS)


def test_the_order_of_columns_does_not_count_and_objects_count_by_their_class() -> None:
    assert row_digest({"a": 1, "b": [2]}) == row_digest({"b": [2], "a": 1})
    assert row_digest({"a": Opaque()}) == row_digest({"a": Opaque()})


def test_it_is_the_same_in_another_process() -> None:
    code = "from collapse_guard.rows.row_digest import row_digest as d; print(d({'a': {'b': 'c'}}))"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == row_digest({"a": {"b": "c"}})


@pytest.mark.parametrize("depth", [30, 3000])
def test_what_is_deep_or_endless_comes_to_an_end(depth: int) -> None:
    deep: list[Any] = []
    for _ in range(depth):
        deep = [deep]
    deep_in_itself: list[Any] = []
    deep_in_itself.append(deep_in_itself)
    assert len(row_digest(deep)) == len(row_digest(deep_in_itself)) == 16
