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


def labelled(names: list[str], labels: list[str], *, in_lists: bool = False) -> datasets.Dataset:
    feature: Any = datasets.ClassLabel(names=names)
    numbers: list[Any] = [names.index(label) for label in labels]
    if in_lists:
        feature, numbers = datasets.List(feature), [[number] for number in numbers]
    features = datasets.Features({"y": feature})
    return datasets.Dataset.from_dict({"y": numbers}, features=features)


def advised(human: Any, synthetic: Any) -> str:
    with pytest.raises(ArgumentError, match="column 'y'") as raised:
        check(human, synthetic)
    return str(raised.value).split(": ", 1)[1]


@pytest.mark.parametrize(
    "names", [["pos", "neg"], ["Pos", "NEG"], ["pos"]], ids=["other order", "other case", "fewer"]
)
def test_the_advice_on_classes_keeps_each_row_in_its_class(names: list[str]) -> None:
    human = labelled(["neg", "pos", "none"], ["pos", "neg"])
    synthetic = labelled(names, [names[0]] * 3)
    advice = advised(human, synthetic)
    code = advice[: advice.index(" renumbers")]
    assert "cast_column" not in code
    followed = eval(code, {"synthetic": synthetic})
    check(human, followed)
    assert {followed.features["y"].int2str(row["y"]) for row in followed} == {names[0].lower()}


def test_other_classes_are_never_cast() -> None:
    human = labelled(["neg", "pos"], ["pos"])
    for synthetic in (labelled(["bad", "good"], ["good"]), labelled(["pos", "neg", "x"], ["pos"])):
        assert "map the numbers to the same classes by their names" in advised(human, synthetic)
    in_lists = [labelled(names, ["pos"], in_lists=True) for names in (["neg", "pos"], ["pos"])]
    assert "map the numbers to the same classes by their names" in advised(*in_lists)


def test_a_cast_is_advised_where_it_keeps_the_classes() -> None:
    human = labelled(["neg", "pos"], ["pos"])
    words = datasets.Dataset.from_dict({"y": ["pos", "neg"]})
    advice = advised(human, words)
    assert advice == "synthetic.cast_column('y', human.features['y']) changes it."
    followed = words.cast_column("y", human.features["y"])
    assert [followed.features["y"].int2str(row["y"]) for row in followed] == ["pos", "neg"]
    numbers = datasets.Dataset.from_dict({"y": [1, 0]})
    assert "if the numbers mean the same classes" in advised(human, numbers)
