from collections.abc import Iterator
from typing import Any

import datasets
import pytest
import torch
from torch.utils.data import IterableDataset, Subset, TensorDataset

from collapse_guard.errors import ArgumentError
from collapse_guard.rows.row_source import RowSource
from tests.mixing.conftest import make_rows


class Batched:
    """Rows that count how they are read."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> dict[str, int]:
        raise AssertionError("read one by one")

    def __getitems__(self, indices: list[int]) -> list[dict[str, int]]:
        self.calls.append(indices)
        return [{"number": index} for index in indices]


def test_a_batch_is_one_read_where_the_source_can() -> None:
    rows = Batched()
    assert RowSource("human", rows).read([3, 1, 3]) == [{"number": 3}, {"number": 1}, {"number": 3}]
    assert rows.calls == [[3, 1, 3]]


def test_nothing_is_read_for_no_rows() -> None:
    rows = Batched()
    assert RowSource("human", rows).read([]) == []
    assert rows.calls == []


@pytest.mark.parametrize("kind", ["list", "dataset", "subset"])
def test_all_kinds_of_sources_read_alike(kind: str) -> None:
    rows = make_rows(7, 10)
    sources: dict[str, Any] = {
        "list": rows,
        "dataset": datasets.Dataset.from_list(rows),
        "subset": Subset(rows, range(10)),  # type: ignore[arg-type]
    }
    assert RowSource("human", sources[kind]).read([4, 0]) == [rows[4], rows[0]]


def test_rows_need_not_be_mappings() -> None:
    source = RowSource("human", TensorDataset(torch.arange(5)))
    assert source.columns() is None
    assert [row[0].item() for row in source.read([4, 2])] == [4, 2]


class Stream(IterableDataset[int]):
    """A stream that knows its length, and still cannot be read by number."""

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[int]:
        return iter(range(3))


HF_STREAM = datasets.Dataset.from_list([{"number": 1}]).to_iterable_dataset()


@pytest.mark.parametrize("rows", [None, 3, iter([1]), {1, 2}, Stream(), HF_STREAM])
def test_streams_and_other_things_are_refused(rows: object) -> None:
    with pytest.raises(ArgumentError, match="`human` expected rows"):
        RowSource("human", rows)  # type: ignore[arg-type]


def test_an_empty_source_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"`synthetic` expected from 1 to \d+ rows"):
        RowSource("synthetic", [])
