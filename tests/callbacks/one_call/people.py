"""Human texts and a tokenizer for them, as small as can be."""

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from tests.tiny import VOCAB

CHAT = "{% for message in messages %}<eos> {{ message['content'] }} {% endfor %}"


def word_tokenizer() -> PreTrainedTokenizerFast:
    special = {"<eos>": 0, "<pad>": 1, "<unk>": 2}
    words = special | {f"w{index}": index for index in range(3, VOCAB)}
    tokenizer = Tokenizer(WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<pad>", unk_token="<unk>"
    )


def people_write(count: int, words: int = 40, seed: int = 1) -> list[str]:
    """Texts of so many words, most of which are rare: word k is drawn with a weight of 1/k."""
    weights = 1.0 / np.arange(1, VOCAB - 2)
    drawn = np.random.default_rng(seed).choice(
        np.arange(3, VOCAB), size=(count, words), p=weights / weights.sum()
    )
    return [" ".join(f"w{index}" for index in row) for row in drawn]


def token_ids(texts: list[str]) -> list[list[int]]:
    return [[int(word[1:]) for word in text.split()] for text in texts]
