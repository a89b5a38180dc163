"""Values that may be rows are not held to be something else; `test_containers` has the others."""

from typing import Any

import datasets
import numpy as np
import pytest
import torch

from collapse_guard.rows.no_containers import called, holds_data_sets, is_of, what_to_write


class ReadAlong:
    """Rows by number, and an iterator over them at once."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> int:
        return index

    def __next__(self) -> int:
        return 0

    def __iter__(self) -> "ReadAlong":
        return self


@pytest.mark.parametrize(
    "given",
    [
        ["a", "b"],
        [],
        (),
        range(3),
        np.arange(4),
        torch.arange(4),
        ReadAlong(),
        torch.utils.data.TensorDataset(torch.arange(4)),
        datasets.Dataset.from_dict({"text": ["a"]}),
        datasets.Dataset.from_dict({"text": ["a"]})["text"],
        datasets.Dataset.from_dict({"text": ["a"]}).to_iterable_dataset(),
        [{"column_names": 1}],
    ],
)
def test_what_may_be_rows_is_let_pass(given: Any) -> None:
    assert what_to_write("human", given) is None
    assert not holds_data_sets(given)


def test_hints_are_python() -> None:
    assert called("web_2") == "web_2"
    assert called("the web") == "rows"


def test_a_class_is_known_by_its_package_and_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Table:
        pass

    monkeypatch.setattr(Table, "__module__", "pyarrow.lib")
    assert is_of(Table(), "pyarrow", "Table")
    assert not is_of(Table(), "polars", "Table")
    monkeypatch.delitem(__import__("sys").modules, "pyarrow")
    assert not is_of(Table(), "pyarrow", "Table")
