from typing import Any

import datasets
import pytest
import torch
from hypothesis import given, strategies as st
from torch.utils.data import TensorDataset

from collapse_guard.errors import ArgumentError
from collapse_guard.rows.row_source import RowSource
from collapse_guard.rows.schema import check_same_columns, differing_columns, find_differences
from tests.mixing.conftest import make_rows

columns = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["int", "str", None]))


@given(sources=st.lists(columns, min_size=1, max_size=4))
def test_a_column_differs_where_two_sources_cannot_share_it(sources: list[dict[str, Any]]) -> None:
    differing = [
        column
        for column in "abc"
        if any(
            (column in one) != (column in other)
            or {one.get(column), other.get(column)} == {"int", "str"}
            for one in sources
            for other in sources
        )
    ]
    assert differing_columns(sources) == differing


def check(human: Any, synthetic: Any) -> None:
    opened = [RowSource("human", human), RowSource("synthetic", synthetic)]
    check_same_columns([(source.name, source.columns()) for source in opened])


def test_missing_columns_are_named_on_both_sides() -> None:
    message = r"only human rows have \['label'\], only synthetic rows have \['source', 'text'\]"
    with pytest.raises(ArgumentError, match=message):
        check(
            [{"id": 1, "label": 0}],
            datasets.Dataset.from_list([{"id": 1, "text": "", "source": ""}]),
        )


def test_types_are_compared_where_both_are_known() -> None:
    human = datasets.Dataset.from_list(make_rows(1, 3))
    features = datasets.Features({"input_ids": datasets.List(datasets.Value("int64"))})
    synthetic = human.cast(features)
    with pytest.raises(
        ArgumentError, match=r"column 'input_ids' of the human rows' type .*int32.*but got .*int64"
    ):
        check(human, synthetic)
    check(human, synthetic.cast(human.features))
    check(make_rows(1, 3), synthetic)


def test_mappings_do_not_mix_with_other_rows() -> None:
    with pytest.raises(ArgumentError, match="of the same kind"):
        check(make_rows(1, 3), TensorDataset(torch.arange(5)))
    with pytest.raises(ArgumentError, match="of the same kind"):
        check(TensorDataset(torch.arange(5)), make_rows(1, 3))
    check(TensorDataset(torch.arange(5)), TensorDataset(torch.arange(5)))


def test_a_column_that_nowhere_holds_a_value_differs_from_none() -> None:
    sources = {
        "a": RowSource("a", [{"text": "x", "note": None}]),
        "b": RowSource("b", [{"text": "y"}]),
    }
    assert find_differences(sources) == []
