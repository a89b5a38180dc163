"""What tells two tokenizers apart, what does not, and of which kinds they may be."""

import json

import pytest
from tokenizers import Tokenizer, pre_tokenizers
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from collapse_guard import ArgumentError, HeldOutPanel, HumanReference, TokenizerMismatchError
from collapse_guard.human_text.tokenizer import encoded, num_ids, tokenizer_fingerprint
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


TEXTS = ["a b c d", "b c a d", "a a b d"]


def with_gap(by: int = 12) -> PreTrainedTokenizerFast:
    """The tokenizer of `a b c d` whose last id lies further off than it has tokens."""
    told = json.loads(word_tokenizer("a", "b", "c", "d").backend_tokenizer.to_str())
    told["model"]["vocab"]["d"] += by
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(told)), unk_token="[UNK]"
    )


def counted(tokenizer, vocab_size: int) -> HumanReference:
    # 40 of a and 30 of b make one type rare.
    text = " ".join(["a"] * 40 + ["b"] * 30 + ["c"] * 6 + ["d"])
    return HumanReference.from_token_ids(
        [encoded(tokenizer, text)], vocab_size=vocab_size, tokenizer=tokenizer
    )


@pytest.mark.parametrize("size", ["len", "largest"])
def test_a_tokenizer_with_a_gap_in_its_ids(size: str) -> None:
    tokenizer = with_gap()
    assert (len(tokenizer), num_ids(tokenizer)) == (5, 17)
    reference = counted(tokenizer, {"len": len(tokenizer), "largest": 17}[size])
    assert reference.vocab_size == 17
    assert reference.counts[16] == 1
    panel = HeldOutPanel.from_texts(TEXTS, tokenizer, reference, window=4)
    assert panel.input_ids[0].tolist() == [1, 2, 3, 16]
    with pytest.raises(TokenizerMismatchError):
        reference.check_tokenizer(with_gap(by=11))


def test_without_a_gap_the_size_is_the_number_of_tokens() -> None:
    tokenizer = word_tokenizer("a", "b")
    assert num_ids(tokenizer) == len(tokenizer) == 3
    # A vocabulary that is padded past the tokenizer stays the one that was asked for.
    assert counted(tokenizer, 8).vocab_size == 8


def test_a_tokenizer_of_tokenizers_is_taken() -> None:
    wrapped = word_tokenizer("a", "b", "c", "d")
    raw = wrapped.backend_tokenizer
    assert tokenizer_fingerprint(raw) == tokenizer_fingerprint(wrapped)
    panel = HeldOutPanel.from_texts(TEXTS, raw, counted(raw, raw.get_vocab_size()), window=4)
    other = HeldOutPanel.from_texts(TEXTS, wrapped, counted(wrapped, 5), window=4)
    assert panel.fingerprint == other.fingerprint


@pytest.mark.parametrize("setting", ["truncation", "padding"])
def test_one_that_cuts_or_pads_is_refused(setting: str) -> None:
    wrapped = word_tokenizer("a", "b")
    raw = Tokenizer.from_str(wrapped.backend_tokenizer.to_str())
    raw.enable_truncation(2) if setting == "truncation" else raw.enable_padding(length=9)
    with pytest.raises(ArgumentError, match=rf"`tokenizer` .* call no_{setting}\(\) on it first"):
        counted(raw, 3)
    # Those of transformers switch both off by themselves.
    wrapped(["a b"], truncation=True, max_length=1)
    assert encoded(wrapped, "a b a b") == [1, 2, 1, 2]
    counted(wrapped, 3)


def test_a_byte_tokenizer() -> None:
    tokenizer = ByT5Tokenizer()
    reference = HumanReference.from_token_ids(
        [encoded(tokenizer, "to be or not to be, é")],
        vocab_size=len(tokenizer),
        tokenizer=tokenizer,
    )
    texts = ["n!ot to be, é", "o?r to be, é"]
    panel = HeldOutPanel.from_texts(texts, tokenizer, reference, window=12)
    assert panel.input_ids[0].tolist() == [byte + 3 for byte in texts[0].encode()[:12]]


@pytest.mark.parametrize("wrong", ["gpt2", str.split, {"a": 0}])
def test_what_is_no_tokenizer(wrong: object) -> None:
    with pytest.raises(ArgumentError, match=r"`tokenizer` expected .*AutoTokenizer"):
        HumanReference.from_token_ids([[0, 1]], vocab_size=2, tokenizer=wrong)  # type: ignore
