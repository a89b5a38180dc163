"""A small model with its tokenizer, and texts that it writes, marked or not."""

from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from tests.human_text.test_reference import word_tokenizer
from tests.tiny import VOCAB, tiny_gpt2

TOKENS = 120


def tiny_writer() -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    tokenizer = word_tokenizer(*[f"w{number}" for number in range(1, VOCAB)])
    tokenizer.pad_token = tokenizer.eos_token = "[UNK]"
    return tiny_gpt2(positions=TOKENS + 8).eval(), tokenizer


def write(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, count: int, **options: Any
) -> list[str]:
    """Texts of 120 words, sampled from the model."""
    start = torch.ones(count, 1, dtype=torch.int64)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ids = model.generate(
            start,
            attention_mask=torch.ones_like(start),
            do_sample=True,
            top_k=0,
            min_new_tokens=TOKENS,
            max_new_tokens=TOKENS,
            **options,
        )
    return [tokenizer.decode(row.tolist()) for row in ids[:, 1:]]
