"""What tells two tokenizers apart, and what does not."""

import pytest
from tokenizers import pre_tokenizers

from collapse_guard import HumanReference, TokenizerMismatchError
from tests.human_text.test_reference import word_tokenizer


def test_fingerprint_ignores_padding_and_truncation() -> None:
    tokenizer = word_tokenizer("a", "b")
    reference = HumanReference.from_token_ids([[0, 1]], vocab_size=3, tokenizer=tokenizer)
    tokenizer.backend_tokenizer.enable_truncation(2)
    tokenizer.backend_tokenizer.enable_padding(length=9)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.padding_side = "left"
    reference.check_tokenizer(tokenizer)


def test_fingerprint_sees_splitting_not_only_the_vocabulary() -> None:
    one, other = word_tokenizer("fox"), word_tokenizer("fox")
    other.backend_tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    reference = HumanReference.from_token_ids([[0, 1]], vocab_size=2, tokenizer=one)
    with pytest.raises(TokenizerMismatchError):
        reference.check_tokenizer(other)
