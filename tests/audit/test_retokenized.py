"""Ids that were drawn are told from those of a text that was tokenized anew."""

from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from collapse_guard import Decoding, MixGuard, Source
from collapse_guard.audit.audit import audit_rows
from collapse_guard.audit.retokenized import find_retokenized
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
    return [" ".join(chance.choice(WORDS, 60)) for _ in range(count)]


def ids_of(tokenizer: Any, text: str) -> list[int]:
    encoding = tokenizer.encode(text, add_special_tokens=False)
    start = tokenizer.get_vocab()["<s>"]
    return [start, *getattr(encoding, "ids", encoding)]


def drawn(tokenizer: Any, text: str) -> list[int]:
    """The same text in two pieces, as a sampler may come upon it: cut within a word."""
    half = next(place for place in range(60, len(text)) if text[place - 1 : place + 1].isalpha())
    return [*ids_of(tokenizer, text[:half]), *ids_of(tokenizer, text[half:])[1:]]


def source(rows: list[list[int]], **columns: list[list[int]]) -> RowSource:
    made = [{"input_ids": row} for row in rows]
    for name, values in columns.items():
        made = [{**row, name: value} for row, value in zip(made, values, strict=True)]
    return RowSource("web", made)


def test_text_that_was_tokenized_anew_is_seen(tokenizer: Any) -> None:
    rows = [ids_of(tokenizer, text) for text in texts(120)]
    found = find_retokenized(source(rows), tokenizer)
    assert found is not None
    # But for eight at either end.
    assert (found.source, found.rows) == ("web", 120)
    assert found.tokens == sum(len(row) - 16 for row in rows)


def test_rows_that_a_model_drew_are_told_by_some_of_them(tokenizer: Any) -> None:
    """A hundredth of the tokens off the tokenizer's way is what large models write."""
    written = texts(120)
    rows = [ids_of(tokenizer, text) for text in written]
    for number in range(0, 120, 3):
        rows[number] = drawn(tokenizer, written[number])
        assert rows[number] != ids_of(tokenizer, written[number])
    assert find_retokenized(source(rows), tokenizer) is None


def test_blocks_that_were_cut_out_of_a_stream_are_seen(tokenizer: Any) -> None:
    stream = [token for text in texts(200) for token in ids_of(tokenizer, text)[1:]]
    blocks = [stream[start : start + 61] for start in range(0, len(stream) - 61, 61)]
    assert find_retokenized(source(blocks), tokenizer) is not None


def test_a_prompt_that_was_tokenized_by_itself_does_not_hide_it(tokenizer: Any) -> None:
    rows, masks = [], []
    for text in texts(120):
        # Cut within a word, so that the whole row is not what the tokenizer makes of it.
        prompt, answer = (ids_of(tokenizer, part)[1:] for part in (text[:33], text[33:]))
        rows.append(prompt + answer)
        masks.append([0] * len(prompt) + [1] * len(answer))
    assert find_retokenized(source(rows, drawn_mask=masks), tokenizer) is not None


def test_few_tokens_tell_nothing(tokenizer: Any) -> None:
    assert find_retokenized(source([ids_of(tokenizer, texts(1)[0])]), tokenizer) is None


def test_a_tokenizer_that_cannot_decode_tells_nothing() -> None:
    raw = byte_level()

    class Encoder:
        def get_vocab(self) -> dict[str, int]:
            return raw.get_vocab()

        def encode(self, text: str, *, add_special_tokens: bool = True) -> Any:
            return raw.encode(text, add_special_tokens=add_special_tokens)

    rows = [ids_of(raw, text) for text in texts(120)]
    assert find_retokenized(source(rows), Encoder()) is None
    assert find_retokenized(source(rows), raw) is not None


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
    assert ("web: tokenized anew, it seems: 120 rows" in str(report)) is is_told
    guard = MixGuard(human, web, human_fraction=0.5, block_size=2, length=4)
    assert bool(guard.check(tokenizer=raw, near=None).retokenized) is is_told
    assert bool(report.to_dict()["retokenized"]) is is_told
