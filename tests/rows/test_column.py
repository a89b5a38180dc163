from typing import Any

import datasets
import numpy as np
import pytest
import torch
from datasets import Features, LargeList, List, Value

from collapse_guard.errors import ArgumentError
from collapse_guard.human_text.token_rows import TokenRows
from collapse_guard.rows.column import Column, as_tokens, encoder
from collapse_guard.rows.row_source import RowSource

ROWS = [[1, 2, 3], [], [4], [5, 6]]
MASKS = [[1, 1, 0], [], [1], [0, 1]]


def _as(kind: str) -> Any:
    if kind == "lists":
        return [{"input_ids": ids} for ids in ROWS]
    if kind == "arrays":
        return [{"input_ids": np.array(ids, dtype=np.int32)} for ids in ROWS]
    if kind == "tensors":
        return [{"input_ids": torch.tensor(ids, dtype=torch.int64)} for ids in ROWS]
    if kind == "bare":
        return ROWS
    types = {"int64": List(Value("int64")), "large": LargeList(Value("int32"))}
    made = datasets.Dataset.from_dict(
        {"input_ids": ROWS}, features=Features(input_ids=types.get(kind, types["int64"]))
    )
    return made.select([3, 2, 1, 0]).select([3, 2, 1, 0]) if kind == "indices" else made


@pytest.mark.parametrize(
    "kind", ["lists", "arrays", "tensors", "bare", "int64", "large", "indices"]
)
def test_token_ids_are_read_from_rows_of_every_make(kind: str) -> None:
    column = Column(RowSource("web", _as(kind)))
    assert not column.is_text
    (contents,) = column.batches()
    assert isinstance(contents, TokenRows)
    assert [ids.tolist() for ids in contents.split()] == ROWS
    picked = column.read([3, 0, 0])
    assert [ids.tolist() for ids in picked.split()] == [ROWS[3], ROWS[0], ROWS[0]]


@pytest.mark.parametrize("arrow", [False, True])
def test_padding_is_no_content(arrow: bool) -> None:
    rows: Any = [{"input_ids": i, "attention_mask": m} for i, m in zip(ROWS, MASKS, strict=True)]
    if arrow:
        rows = datasets.Dataset.from_list(rows)
    (contents,) = Column(RowSource("web", rows)).batches()
    assert [ids.tolist() for ids in contents.split()] == [[1, 2], [], [4], [6]]


@pytest.mark.parametrize("arrow", [False, True])
def test_texts_and_missing_ones(arrow: bool) -> None:
    rows: Any = [{"body": None}, {"body": "a"}, {"body": ""}]
    rows = datasets.Dataset.from_list(rows) if arrow else rows
    column = Column(RowSource("web", rows), "body")
    assert column.is_text
    assert list(column.batches()) == [["", "a", ""]]
    assert column.read([1, 1]) == ["a", "a"]


def test_fixed_length_rows_and_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collapse_guard.rows.column._FIRST_ROWS", 3)
    monkeypatch.setattr("collapse_guard.rows.column._ROWS_AT_A_TIME", 7)
    ids = np.arange(80, dtype=np.int32).reshape(20, 4)
    features = Features(input_ids=List(Value("int32"), length=4))
    rows = datasets.Dataset.from_dict({"input_ids": ids}, features=features)
    batches = list(Column(RowSource("web", rows)).batches())
    assert [len(batch.lengths) for batch in batches] == [3, 7, 7, 3]
    assert np.array_equal(np.concatenate([b.ids for b in batches]), ids.ravel())


def test_long_rows_are_read_in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collapse_guard.rows.column._SYMBOLS_AT_A_TIME", 1000)
    rows = ["a" * 300] * 100 + ["b"] * 50
    batches = list(Column(RowSource("web", rows)).batches())
    assert [len(batch) for batch in batches[1:12]] == [3] * 11
    assert len(batches[-1]) > 3
    assert [text for batch in batches for text in batch] == rows


@pytest.mark.parametrize(
    ("rows", "column"),
    [
        ([{"a": 1}], None),
        ([{"text": "a"}], "body"),
        (["a"], "text"),
        ([{"text": 1.5}], "text"),
        ([{"text": [["a"]]}], "text"),
        ([{"input_ids": [0.5]}], None),
        ([{"text": "a"}, {"text": 3}], "text"),
        ([{"input_ids": [1], "attention_mask": [1, 1]}], None),
        (datasets.Dataset.from_dict({"messages": [[{"role": "user"}]]}), "messages"),
    ],
)
def test_what_is_neither_text_nor_token_ids_is_refused(rows: Any, column: str | None) -> None:
    with pytest.raises(ArgumentError, match="`column` expected"):
        list(Column(RowSource("web", rows), column).batches())


@pytest.mark.parametrize(
    "rows",
    [
        [{"input_ids": [1, 2.7]}],
        [{"input_ids": [1, None]}],
        datasets.Dataset.from_dict({"input_ids": [[1, None], [2]]}),
    ],
    ids=["a fraction", "nothing", "a null in Arrow"],
)
def test_what_is_no_token_id_is_refused(rows: Any) -> None:
    with pytest.raises(ArgumentError, match="`column`"):
        Column(RowSource("web", rows)).read([0])


class Letters:
    """A tokenizer whose ids are those of the letters; a special one comes before them if asked."""

    def get_vocab(self) -> dict[str, int]:
        return {chr(letter): letter for letter in range(128)}

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        return [0] * add_special_tokens + list(map(ord, text))


def test_texts_become_tokens_by_what_encodes_them() -> None:
    tokens = as_tokens(["b a", ""], encoder(Letters()))
    assert tokens.ids.tolist() == [98, 32, 97]
    assert tokens.lengths.tolist() == [3, 0]
    assert as_tokens(tokens, None) is tokens
    with pytest.raises(TypeError, match="texts need `encode`"):
        as_tokens(["a"], None)
