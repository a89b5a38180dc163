import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from collapse_guard import ArgumentError, HumanReference, TypeCounts
from tests.hostile.targets.made import Words

VOCAB = 9

PADDED = st.lists(
    st.lists(st.tuples(st.integers(0, VOCAB - 1), st.booleans()), max_size=5),
    min_size=1,
    max_size=12,
).filter(lambda rows: any(is_text for row in rows for _, is_text in row))


def split(rows: list[Any]) -> tuple[list[list[int]], list[list[bool]]]:
    return [[index for index, _ in row] for row in rows], [
        [is_text for _, is_text in row] for row in rows
    ]


def said(reference: HumanReference) -> Any:
    return reference.counts.tolist(), reference.special_ids, reference.left_out


@given(rows=PADDED, data=st.data())
def test_counts_of_parts_merge_into_the_reference_of_the_whole_in_whatever_order(
    rows: list[Any], data: st.DataObject
) -> None:
    ids, masks = split(rows)
    whole = HumanReference.from_token_ids(ids, vocab_size=VOCAB, attention_mask=masks)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    parts = []
    for start, stop in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        ids, masks = split(rows[start:stop])
        if data.draw(st.booleans()):
            types = {"input_ids": pa.list_(pa.int32()), "attention_mask": pa.list_(pa.bool_())}
            table = pa.table({"input_ids": ids, "attention_mask": masks}, pa.schema(types))
            parts.append(TypeCounts.of_table(table, "input_ids", vocab_size=VOCAB))
        else:
            parts.append(TypeCounts.of(ids, vocab_size=VOCAB, attention_mask=masks))
    parts = data.draw(st.permutations(parts))
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    assert said(HumanReference.from_type_counts(merged)) == said(whole)


def test_padding_of_one_part_that_is_text_in_another_is_text() -> None:
    padded = TypeCounts.of([[1, 0]], vocab_size=3, attention_mask=[[1, 0]])
    text = TypeCounts.of([[0, 2]], vocab_size=3)
    assert HumanReference.from_type_counts(padded.merge(text)).special_ids == ()
    assert HumanReference.from_type_counts(padded).special_ids == (0,)


def test_a_reference_of_counts_knows_its_tokenizer() -> None:
    tokenizer = Words()
    size = len(tokenizer.get_vocab())
    counts = TypeCounts.of([[0, 1, 1]], vocab_size=size, tokenizer=tokenizer)
    reference = HumanReference.from_type_counts(counts, tokenizer=tokenizer, tail_mass=0.2)
    reference.check_tokenizer(tokenizer)
    assert (reference.num_tokens, reference.tail_mass) == (3, 0.2)


def test_a_part_may_be_empty_and_a_corpus_may_not() -> None:
    empty = TypeCounts.of([], vocab_size=4)
    assert empty.counts.tolist() == [0, 0, 0, 0]
    with pytest.raises(ArgumentError):
        HumanReference.from_type_counts(empty)


def test_counts_that_are_given_stay_as_they_are() -> None:
    counts = TypeCounts(np.array([3, 1, 2]), {2: 5})
    HumanReference.from_type_counts(counts)
    assert counts.counts.tolist() == [3, 1, 2]


def test_other_numbers_of_types_do_not_merge() -> None:
    with pytest.raises(ArgumentError, match="`other` expected counts of 4 types"):
        TypeCounts.of([[1]], vocab_size=4).merge(TypeCounts.of([[1]], vocab_size=5))


@pytest.mark.parametrize("given_counts", [[-1, 2], [0.5], "many", [[1, 2]]])
def test_what_are_no_counts_is_refused(given_counts: Any) -> None:
    with pytest.raises(ArgumentError, match="`counts`"):
        TypeCounts(given_counts)


def test_a_state_goes_through_a_file() -> None:
    counts = TypeCounts.of([[1, 0, 3], [3]], vocab_size=5, attention_mask=[[1, 0, 1], [1]])
    state = json.loads(json.dumps(counts.state_dict()))
    back = TypeCounts.of_state(state)
    assert (back.counts.tolist(), back.masked) == (counts.counts.tolist(), counts.masked)
    assert back.state_dict() == state


@pytest.mark.parametrize(
    "change",
    [
        {"vocab_size": 0},
        {"types": [3, 1]},
        {"types": [1, 5]},
        {"counts": [1]},
        {"counts": [1, -2]},
        {"masked": [[0]]},
        {"masked": [[0, 0], [1, 1]]},
        {"masked": [[0], [0]]},
        {"more": 1},
    ],
)
def test_a_state_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    state = {"vocab_size": 5, "types": [1, 3], "counts": [1, 2], "masked": [[0], [1]]}
    TypeCounts.of_state(state)
    with pytest.raises(ArgumentError):
        TypeCounts.of_state({**state, **change})
