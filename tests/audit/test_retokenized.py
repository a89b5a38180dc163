"""Ids that were drawn are told from those of a text that was tokenized anew."""

from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from collapse_guard import Decoding, MixGuard, Source
from collapse_guard.audit.audit import audit_rows
from collapse_guard.audit.retokenized import find_retokenized
from collapse_guard.rows.column import Column
from collapse_guard.rows.row_source import RowSource

WORDS = ("until", "under", "understand", "sands", "tilt", "tunes", "stand", "until then")


def byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=alphabet, special_tokens=["<s>"], show_progress=False
    )
    tokenizer.train_from_iterator([" ".join(WORDS)] * 20, trainer)
    return tokenizer


@pytest.fixture(scope="module", params=["tokenizers", "transformers"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    raw = byte_level()
    if request.param == "tokenizers":
        return raw
    return PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>")


def texts(count: int) -> list[str]:
    chance = np.random.default_rng(0)
    return [" ".join(chance.choice(WORDS, 20)) for _ in range(count)]


def ids_of(tokenizer: Any, text: str) -> list[int]:
    encoding = tokenizer.encode(text, add_special_tokens=False)
    start = tokenizer.get_vocab()["<s>"]
    return [start, *getattr(encoding, "ids", encoding)]


def drawn(tokenizer: Any, text: str) -> list[int]:
    """The same text in two pieces, as a sampler may come upon it: cut within a word."""
    return [*ids_of(tokenizer, text[:3]), *ids_of(tokenizer, text[3:])[1:]]


def column(rows: list[list[int]]) -> Column:
    return Column(RowSource("web", [{"input_ids": row} for row in rows]))


def test_text_that_was_tokenized_anew_is_seen(tokenizer: Any) -> None:
    rows = [ids_of(tokenizer, text) for text in texts(120)]
    found = find_retokenized(column(rows), tokenizer)
    assert found is not None
    assert (found.source, found.rows, found.tokens) == ("web", 120, sum(map(len, rows)))


def test_one_row_that_was_drawn_tells_that_all_were(tokenizer: Any) -> None:
    written = texts(120)
    rows = [ids_of(tokenizer, text) for text in written]
    rows[70] = drawn(tokenizer, written[70])
    assert rows[70] != ids_of(tokenizer, written[70])
    assert find_retokenized(column(rows), tokenizer) is None


def test_few_tokens_tell_nothing(tokenizer: Any) -> None:
    assert find_retokenized(column([ids_of(tokenizer, texts(1)[0])]), tokenizer) is None


def test_a_tokenizer_that_cannot_decode_tells_nothing() -> None:
    raw = byte_level()

    class Encoder:
        def get_vocab(self) -> dict[str, int]:
            return raw.get_vocab()

        def encode(self, text: str, *, add_special_tokens: bool = True) -> Any:
            return raw.encode(text, add_special_tokens=add_special_tokens)

    rows = [ids_of(raw, text) for text in texts(120)]
    assert find_retokenized(column(rows), Encoder()) is None
    assert find_retokenized(column(rows), raw) is not None


@pytest.mark.parametrize(
    ("decoding", "is_told"), [(Decoding(temperature=0.8), True), ("find", False), (None, False)]
)
def test_an_audit_says_so_where_a_decoding_is_claimed(decoding: Any, is_told: bool) -> None:
    raw = byte_level()
    human = [{"input_ids": ids_of(raw, text)} for text in texts(3)]
    rows = [{"input_ids": ids_of(raw, f"{n} {text}")} for n, text in enumerate(texts(120))]
    web = Source(rows, "web", "synthetic", decoding=decoding)
    report = audit_rows([Source(human, "books", "human"), web], tokenizer=raw, near=None)
    assert bool(report.retokenized) is is_told
    assert report.is_clean is not is_told
    assert ("web: tokenized anew, it seems: each of 120 rows" in str(report)) is is_told
    guard = MixGuard(human, web, human_fraction=0.5, block_size=2, length=4)
    assert bool(guard.check(tokenizer=raw, near=None).retokenized) is is_told
    assert bool(report.to_dict()["retokenized"]) is is_told
