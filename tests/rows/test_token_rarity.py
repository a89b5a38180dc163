from collections.abc import Sequence

import datasets
import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError, TokenizerMismatchError
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.rows.column import Column
from collapse_guard.rows.row_source import RowSource
from collapse_guard.rows.token_rarity import token_rarity

REFERENCE = HumanReference.from_token_ids(
    [np.repeat(np.arange(100), 1000 // np.arange(1, 101))], vocab_size=120
)


def rarity_of(rows: Sequence[object], **settings: float) -> list[float]:
    source = RowSource("human", rows)
    return list(map(float, token_rarity(Column(source, "input_ids"), REFERENCE, **settings)))


def naive_rarity(ids: Sequence[int], share: float) -> float:
    bits = sorted((REFERENCE.self_information[i] for i in ids), reverse=True)
    rarest = bits[: max(1, int(len(bits) * share))]
    return float(np.mean(rarest)) if rarest else 0.0


@given(
    documents=st.lists(st.lists(st.integers(0, 119), max_size=40), min_size=1, max_size=8),
    share=st.floats(0.05, 1),
)
def test_it_is_the_mean_of_the_rarest_tokens(documents: list[list[int]], share: float) -> None:
    measured = rarity_of([{"input_ids": ids} for ids in documents], rarest_share=share)
    expected = [naive_rarity(ids, share) for ids in documents]
    assert measured == pytest.approx(expected, rel=1e-5)


def test_a_tenth_of_the_tokens_counts_by_default() -> None:
    common, rare = [0] * 18, [99, 110]
    expected = REFERENCE.self_information[rare].mean()
    assert rarity_of([{"input_ids": common + rare}]) == pytest.approx([expected])


def test_masked_tokens_do_not_count() -> None:
    padded = {"input_ids": [0, 1, 119, 119], "attention_mask": [1, 1, 0, 0]}
    assert rarity_of([padded]) == rarity_of([{"input_ids": [0, 1]}])


def test_more_rows_than_are_read_at_a_time() -> None:
    rows = [{"input_ids": [number % 120]} for number in range(2500)]
    expected = REFERENCE.self_information[np.arange(2500) % 120]
    assert rarity_of(rows) == pytest.approx(expected.tolist(), rel=1e-6)


def test_all_kinds_of_sources_read_alike() -> None:
    rows = [{"input_ids": [0, number], "text": "x"} for number in range(50)]
    expected = rarity_of(rows)
    hugging_face = datasets.Dataset.from_list(rows)
    assert rarity_of(hugging_face) == expected
    assert rarity_of(hugging_face.with_format("torch")) == expected
    assert rarity_of([{"input_ids": torch.tensor(row["input_ids"])} for row in rows]) == expected


@pytest.mark.parametrize("bad", [120, -1])
def test_ids_of_another_vocabulary_are_refused(bad: int) -> None:
    with pytest.raises(TokenizerMismatchError, match=f"token id {bad} is not in"):
        rarity_of([{"input_ids": [0, bad]}])


@pytest.mark.parametrize("rows", [[{"text": "x"}], [[1, 2]], [torch.tensor([1])]])
def test_a_missing_column_is_named(rows: list[object]) -> None:
    with pytest.raises(
        ArgumentError, match=r"`column` expected one of the columns .* of source 'human'"
    ):
        rarity_of(rows)


@pytest.mark.parametrize("value", [[0.5, 1.0], [[1, 2], [3, 4]], 3])
def test_a_column_of_something_else_is_refused(value: object) -> None:
    with pytest.raises(ArgumentError, match="a list of whole numbers in each row"):
        rarity_of([{"input_ids": value}])
