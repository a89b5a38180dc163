"""Words among tokens, against what tokenizers tell of offsets in a whole text."""

import unicodedata
from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import given, strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from collapse_guard import ArgumentError
from collapse_guard.human_text.tokenizer import encoded
from collapse_guard.human_text.words import (
    TokenWord,
    decoder,
    spelling,
    whole_words,
    word_counts,
    word_spans,
)
from tests.human_text.test_reference import word_tokenizer

WORDS = [
    *("the", "fox", "fox's", "don\u2019t", "re-entry", "x2", "1990s", "3rd", "foo_bar"),
    *(
        "Unhappiness",
        "naïve",
        "cafe\u0301",
        "नमस्ते",
        "мир",
        "İstanbul",
        "🙂",
        "(see",
        "end.",
        "rock'n'roll",
        "日本",
    ),
    *("'quoted'", "\n", "  ", "—", "unhappy", "happiness", "https://example.org"),
]


APOSTROPHES = set("'\u2019")


def some_text(seed: int, words: list[str] = WORDS) -> str:
    return " ".join(np.random.default_rng(seed).choice(words, 60).tolist())


@cache
def made(kind: str) -> Tokenizer:
    texts = [some_text(seed) for seed in range(30)]
    if kind == "WordPiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece(cleanup=False)
        trainer: trainers.Trainer = trainers.WordPieceTrainer(
            vocab_size=150, special_tokens=["[UNK]"], show_progress=False
        )
    elif kind == "SentencePiece":
        bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
        tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
        tokenizer.decoder = decoders.Sequence(
            [
                decoders.Replace("▁", " "),
                decoders.ByteFallback(),
                decoders.Fuse(),
                decoders.Strip(" ", 1, 0),
            ]
        )
        trainer = trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<unk>", *bytes_],
            limit_alphabet=40,
            show_progress=False,
            max_token_length=6,
        )
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
            add_prefix_space=False, use_regex=kind == "ByteLevel"
        )
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=330,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


KINDS = ("ByteLevel", "ByteLevel over words", "SentencePiece", "WordPiece")


def by_offsets(tokenizer: Tokenizer, text: str) -> tuple[list[int], list[TokenWord]]:
    """The ids, and all words of a text that share no token: by the characters that tokens cover."""
    encoding = tokenizer.encode(text)
    used = [
        [
            token
            for token, (first, last) in enumerate(encoding.offsets)
            if first < end and begin < last
        ]
        for begin, end in word_spans(text)
    ]
    users = Counter(token for tokens in used for token in tokens)
    words = [
        TokenWord(spelling(text[begin:end]), tokens[0], tokens[-1] + 1)
        for (begin, end), tokens in zip(word_spans(text), used, strict=True)
        if max(users[token] for token in tokens) == 1
    ]
    return encoding.ids, words


@pytest.mark.parametrize("kind", KINDS)
def test_words_of_any_cut_of_a_text_are_those_of_the_text(kind: str) -> None:
    tokenizer, random = made(kind), np.random.default_rng(0)
    decode, spelt = decoder(tokenizer), 0
    # This decoder writes spaces around punctuation.
    among = [word for word in WORDS if kind != "WordPiece" or not APOSTROPHES & set(word)]
    for seed in range(100, 110):
        ids, words = by_offsets(tokenizer, some_text(seed, among))
        for _ in range(10):
            first, end = np.sort(random.integers(0, len(ids) + 1, 2)).tolist()
            found = whole_words(ids[first:end], decode)
            moved = {
                word._replace(first=first + word.first, end=first + word.end) for word in found
            }
            # Nothing but what stands whole in the text, with all of its tokens and no others;
            assert moved <= {word for word in words if first < word.first and word.end < end}
            # and all of it but at the edges, where a character may take up to four tokens, and one
            # more tells what follows an apostrophe.
            edge = 5
            inside = {w for w in words if first + edge <= w.first and w.end <= end - edge}
            assert inside <= moved
            spelt += sum(word.end - word.first > 1 for word in found)
    assert spelt > 100


def test_tokens_that_two_words_share_are_met_with() -> None:
    """Else the test above would not try them."""
    text = some_text(100)
    _, words = by_offsets(made("ByteLevel over words"), text)
    assert len(words) < len(list(word_spans(text)))


@pytest.mark.parametrize("kind", ["ByteLevel", "SentencePiece"])
def test_a_wrapped_tokenizer_is_read_alike(kind: str) -> None:
    wrapped = PreTrainedTokenizerFast(tokenizer_object=made(kind))
    ids, _ = by_offsets(made(kind), some_text(7))
    assert whole_words(ids, decoder(wrapped)) == whole_words(ids, decoder(made(kind))) != []


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("cat sat on", ["sat"]),
        (". cat sat .", ["cat", "sat"]),
        # The text may go on with the rest of the word behind the apostrophe, or in front of it.
        (". fox '", []),
        ("' s cat .", ["cat"]),
        ("", []),
        ("cat", []),
    ],
)
def test_words_at_an_edge_are_left_out(text: str, whole: list[str]) -> None:
    pieces = text.split(" ")
    # As if an apostrophe had no spaces around it.
    spelt = [f" {piece}" if piece not in ("'", "s") else piece for piece in pieces]
    numbers = list(range(len(pieces))) if text else []
    found = whole_words(numbers, lambda ids: "".join(spelt[i] for i in ids))
    assert [word.word for word in found] == whole


def test_a_character_that_is_cut_at_an_edge_may_be_a_letter() -> None:
    ids = made("ByteLevel").encode("the caf\u00e8").ids
    decode = decoder(made("ByteLevel"))
    assert decode(ids[:-1]).endswith("caf\ufffd")
    assert whole_words(ids[:-1], decode) == []


def test_bytes_that_a_decoder_leaves_out() -> None:
    """That of ByT5 writes nothing for bytes that are no whole character."""
    tokenizer, text = ByT5Tokenizer(), "the caf\u00e9 noir of na\u00efve \u00e9t\u00e9."
    ids, decode = encoded(tokenizer, text), decoder(tokenizer)
    words = {(word.first, word.end) for word in whole_words(ids, decode)}
    assert words == {(4, 9), (10, 14), (15, 17), (18, 24), (25, 30)}
    for first in range(len(ids)):
        for end in range(first, len(ids)):
            cut = whole_words(ids[first:end], decode)
            assert {(first + word.first, first + word.end) for word in cut} <= words


def letter_by_letter(text: str) -> list[str]:
    """What `word_spans` is said to find."""

    def is_of(categories: str, place: int) -> bool:
        return place < len(text) and unicodedata.category(text[place])[0] in categories

    def is_part(place: int) -> bool:
        return is_of("LMN", place)

    def is_letter(place: int) -> bool:
        return is_of("L", place)

    words, place = [], 0
    while place < len(text):
        end = place + 1
        if is_part(place):
            while is_part(end) or (
                text[end : end + 1] in APOSTROPHES and is_letter(end + 1) and is_letter(place)
            ):
                end += 1
            if is_letter(place):
                words.append(text[place:end])
        place = end
    return words


@given(st.text(alphabet="aZé'\u2019_-1९ \u0301\u0903\u200dमд日²", max_size=12))
def test_words_are_found_letter_by_letter(text: str) -> None:
    assert [text[begin:end] for begin, end in word_spans(text)] == letter_by_letter(text)


def test_words_are_counted_as_the_tokenizer_writes_them() -> None:
    texts = ["The fox, the FOX\u2019s fox", "fox"]
    assert word_counts(iter(texts), made("ByteLevel")) == {"the": 2, "fox": 3, "fox's": 1}
    plain = made("WordPiece")
    plain = Tokenizer.from_str(plain.to_str())
    plain.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=True)
    assert word_counts(["naïve"], plain)["naive"] == 1
    by_letters = word_counts(
        ["fox the"], made("ByteLevel"), spans=lambda text: ((i, i + 1) for i in range(len(text)))
    )
    assert by_letters == Counter("fox the")


def test_bad_input() -> None:
    with pytest.raises(ArgumentError, match="`texts`"):
        word_counts("one text", word_tokenizer("one"))

    class Encodes:
        def get_vocab(self) -> dict[str, int]:
            return {"a": 0}

        def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
            return [0] * len(text)

    with pytest.raises(ArgumentError, match=r"`tokenizer` expected one with decode"):
        decoder(Encodes())

    class Plain(Encodes):
        def decode(self, ids: list[int]) -> str:
            return "a" * len(ids)

    assert decoder(Plain())((0, 0)) == "aa"
