import pytest

from collapse_guard import HumanReference
from collapse_guard.audit.filters.rarity import row_rarity
from collapse_guard.errors import ArgumentError, TokenizerMismatchError
from collapse_guard.rows.column import Column
from collapse_guard.rows.row_source import RowSource
from collapse_guard.rows.token_rarity import token_rarity
from tests.human_text.test_reference import word_tokenizer

TOKENIZER = word_tokenizer("a", "b", "c")


REFERENCE = HumanReference.from_token_ids(
    [[1] * 80, [2] * 15, [3] * 5], vocab_size=4, tokenizer=TOKENIZER
)


def test_rarity_is_the_one_that_the_mixture_ranks_by() -> None:
    texts = ["a a b", "c", "", "a"]
    ids = [TOKENIZER.encode(text) for text in texts]
    column = Column(RowSource("human", [{"input_ids": row} for row in ids]), "input_ids")
    expected = token_rarity(column, REFERENCE)
    assert row_rarity(ids, REFERENCE).tolist() == expected.tolist()
    assert row_rarity(texts, REFERENCE, tokenizer=TOKENIZER).tolist() == expected.tolist()
    with pytest.raises(ArgumentError, match="`tokenizer`"):
        row_rarity(texts, REFERENCE)
    with pytest.raises(TokenizerMismatchError):
        row_rarity(texts, REFERENCE, tokenizer=word_tokenizer("c", "b", "a"))
