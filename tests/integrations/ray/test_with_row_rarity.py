import numpy as np
import pyarrow as pa
import pytest

from collapse_guard import ArgumentError, HumanReference, TokenizerMismatchError
from collapse_guard.audit import row_rarity
from collapse_guard.integrations import with_row_rarity
from collapse_guard.integrations.ray.with_row_rarity import _Rarity
from tests.hostile.targets.made import Words, word_reference
from tests.integrations.ray.blocks_of import blocks_of

VOCAB = 60
IDS = [np.random.default_rng(n).integers(0, VOCAB, n % 17).tolist() for n in range(300)]
REFERENCE = HumanReference.from_token_ids(IDS[:40], vocab_size=VOCAB)


@pytest.mark.cluster
@pytest.mark.slow
def test_each_row_is_as_rare_as_on_one_machine() -> None:
    rows = with_row_rarity(blocks_of("input_ids", IDS, [3, 200]), REFERENCE).take_all()
    # Ray promises no order unless it is asked to.
    found = {tuple(row["input_ids"]): row["rarity"] for row in rows}
    alone = row_rarity(IDS, REFERENCE).tolist()
    assert found == {tuple(ids): rarity for ids, rarity in zip(IDS, alone, strict=True)}


def test_a_block_of_texts_has_a_rarity_and_a_column_of_that_name_is_replaced() -> None:
    texts = ["a rose is a rose", "a day in april"]
    step = _Rarity(word_reference(), "text", Words(), "rare")
    table = step(step(pa.table({"text": texts, "other": [1, 2]})))
    assert table.column_names == ["text", "other", "rare"]
    alone = row_rarity(texts, word_reference(), tokenizer=Words())
    assert table.column("rare").to_pylist() == alone.tolist()


@pytest.mark.cluster
@pytest.mark.slow
def test_another_tokenizer_and_no_reference_are_refused_at_once() -> None:
    texts = blocks_of("text", ["a"], [])
    with pytest.raises(TokenizerMismatchError):
        with_row_rarity(texts, REFERENCE, tokenizer=Words())
    with pytest.raises(ArgumentError, match="`tokenizer`"):
        with_row_rarity(texts, REFERENCE)
    with pytest.raises(ArgumentError, match="`reference`"):
        with_row_rarity(texts, None)  # type: ignore[arg-type]
