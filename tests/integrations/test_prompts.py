"""Prompts as ids, texts and chats, against what the tokenizer itself makes of them."""

from typing import Any

import datasets
import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from collapse_guard.errors import ArgumentError
from collapse_guard.integrations.prompts import as_prompts

WORDS = ["?", "<s>", "<user>", "<model>", "a", "b", "c"]


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One that begins texts with `<s>`, and has a chat template."""
    backend = Tokenizer(models.WordLevel({w: n for n, w in enumerate(WORDS)}, unk_token="?"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="?",
        bos_token="<s>",
        additional_special_tokens=["<user>", "<model>"],
    )
    tokenizer.chat_template = (
        "<s> {% for m in messages %}<{{ m.role }}> {{ m.content }} {% endfor %}"
        "{% if add_generation_prompt %}<model>{% endif %}"
    )
    return tokenizer


def ids_of(*arguments: Any) -> list[list[int]]:
    return [ids.tolist() for ids in as_prompts(*arguments)]


@pytest.mark.parametrize(
    "prompts",
    [
        [[5, 3], [4, 1]],
        [(5, 3), np.array([4, 1], dtype=np.uint8)],
        torch.tensor([[5, 3], [4, 1]]),
        np.array([[5, 3], [4, 1]], dtype=np.int32),
        (ids for ids in ([5, 3], [4, 1])),
        datasets.Dataset.from_dict({"input_ids": [[5, 3], [4, 1]]})["input_ids"],
    ],
    ids=["lists", "tuples and arrays", "tensor", "array", "generator", "column"],
)
def test_ids_are_kept(prompts: Any) -> None:
    found = as_prompts(prompts)
    assert [ids.tolist() for ids in found] == [[5, 3], [4, 1]]
    assert {ids.dtype for ids in found} == {np.dtype(np.int64)}


def test_texts_are_tokenized_as_the_tokenizer_does_it() -> None:
    tokenizer = make_tokenizer()
    texts = ["a b c", "b"]
    assert ids_of(texts, tokenizer) == tokenizer(texts)["input_ids"] == [[1, 4, 5, 6], [1, 5]]
    assert ids_of(texts, tokenizer.backend_tokenizer) == [[1, 4, 5, 6], [1, 5]]


def test_chats_go_up_to_where_the_answer_begins() -> None:
    chats = [
        [{"role": "user", "content": "a b"}],
        [
            {"role": "user", "content": "a"},
            {"role": "model", "content": "b"},
            {"role": "user", "content": "c"},
        ],
    ]
    assert ids_of(chats, make_tokenizer()) == [[1, 2, 4, 5, 3], [1, 2, 4, 3, 5, 2, 6, 3]]


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ("a b", "put a single prompt into a list"),
        (0.5, "put a single prompt into a list"),
        ([], "give at least one"),
        ([5, 3, 1], "a list for each row"),
        ([[5], []], "at least one token a row"),
        ([[[5, 3]]], "a list for each row"),
        ([[5.0]], "tokenize it first"),
        ([["a", "b"]], "tokenize it first"),
        ([{"role": "user", "content": "a"}], "a list of messages for each row"),
    ],
)
def test_what_is_no_prompt_is_refused(prompts: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=f"`prompts` expected.*{message}"):
        as_prompts(prompts, make_tokenizer())


def test_texts_and_chats_need_their_tokenizer() -> None:
    chat = [{"role": "user", "content": "a"}]
    with pytest.raises(ArgumentError, match=r"`tokenizer` expected the model's own.*holds texts"):
        as_prompts(["a"])
    with pytest.raises(ArgumentError, match=r"`tokenizer` expected the model's own.*holds chats"):
        as_prompts([chat], make_tokenizer().backend_tokenizer)
    silent = make_tokenizer()
    silent.chat_template = None
    with pytest.raises(ArgumentError, match=r"set tokenizer\.chat_template"):
        as_prompts([chat], silent)
