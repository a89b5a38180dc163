import json
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pytest

from collapse_guard import ArgumentError, HumanReference, TypeCounts
from collapse_guard.integrations import reference_from_ray
from collapse_guard.integrations.ray.reference_from_ray import _Counter
from tests.hostile.targets.made import Words
from tests.integrations.ray.blocks_of import blocks_of

VOCAB = 60
IDS = [np.random.default_rng(n).integers(0, VOCAB, n % 17).tolist() for n in range(300)]


def said(reference: HumanReference) -> Any:
    return (
        reference.counts.tolist(),
        reference.fingerprint,
        reference.special_ids,
        reference.left_out,
    )


def told(*tables: pa.Table, **settings: Any) -> HumanReference:
    """What comes of some blocks, without a cluster."""
    counter = _Counter(
        **{"column": "input_ids", "vocab_size": VOCAB, "tokenizer": None, **settings}
    )
    counts = TypeCounts(np.zeros(counter.vocab_size, np.int64))
    for table in tables:
        (row,) = counter(table).to_pylist()
        counts = counts.merge(TypeCounts.of_state(json.loads(row["state"])))
    return HumanReference.from_type_counts(counts, tokenizer=settings.get("tokenizer"))


@pytest.mark.cluster
@pytest.mark.slow
def test_token_ids_are_counted_as_on_one_machine() -> None:
    found = reference_from_ray(blocks_of("input_ids", IDS, [3, 200]), vocab_size=VOCAB)
    assert said(found) == said(HumanReference.from_token_ids(IDS, vocab_size=VOCAB))


@pytest.mark.cluster
@pytest.mark.slow
def test_arrays_of_one_length_are_token_ids_too() -> None:
    import ray.data

    items = [{"input_ids": np.arange(4) + n} for n in range(5)]
    found = reference_from_ray(ray.data.from_items(items), vocab_size=VOCAB)
    assert found.counts[:9].tolist() == [1, 2, 3, 4, 4, 3, 2, 1, 0]


@pytest.mark.cluster
@pytest.mark.slow
def test_texts_are_counted_with_their_tokenizer() -> None:
    tokenizer = Words()
    texts = ["a rose is a rose", "", "a day in april"] * 20
    found = reference_from_ray(blocks_of("text", texts, [7]), tokenizer=tokenizer)
    alone = HumanReference.from_token_ids(
        [tokenizer.encode(text, add_special_tokens=False) for text in texts],
        vocab_size=len(tokenizer.get_vocab()),
        tokenizer=tokenizer,
    )
    assert said(found) == said(alone)


def test_what_a_mask_masks_out_is_padding() -> None:
    rows = {
        "input_ids": [[5, 6, 0, 0], [7, 0, 0, 0], [8, 9, 5, 0]],
        "attention_mask": [[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]],
    }
    table = pa.table(rows)
    found = told(table.slice(0, 1), table.slice(1))
    alone = HumanReference.from_dataset(datasets.Dataset.from_dict(rows), vocab_size=VOCAB)
    assert said(found) == said(alone)
    assert found.left_out == {"padding": 6}


@pytest.mark.cluster
@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "rows", "settings"),
    [("text", ["a", "b"], {"vocab_size": VOCAB}), ("input_ids", IDS, {})],
)
def test_texts_need_a_tokenizer_and_ids_a_number_of_types(
    column: str, rows: list[Any], settings: dict[str, Any]
) -> None:
    with pytest.raises(ArgumentError, match="`tokenizer` expected a tokenizer, where"):
        reference_from_ray(blocks_of(column, rows, []), **settings)
