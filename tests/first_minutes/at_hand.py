"""What somebody has before the first line of this package: a model, a tokenizer, and texts."""

import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from tests.docs.user import make_tokenizer, texts
from tests.tiny import tiny_gpt2

TOKENS = 64


def tokenizer() -> PreTrainedTokenizerFast:
    """With a token to pad with."""
    made = make_tokenizer()
    made.pad_token = made.eos_token
    return made


def model() -> PreTrainedModel:
    """A causal language model of a few thousand weights."""
    made = tiny_gpt2(vocab_size=len(tokenizer()), positions=2 * TOKENS)
    made.config.bos_token_id = tokenizer().bos_token_id
    return made


def train_texts() -> list[str]:
    """What it is trained on."""
    return texts(64, seed=1)


def held_out_texts() -> list[str]:
    """Texts of people that it is never trained on."""
    return [f"quokkas, {text}" for text in texts(60, seed=2)]


def train_rows() -> Dataset:
    """The training texts as token ids of one length, and labels."""
    ids = [tokenizer().encode(text)[:TOKENS] for text in train_texts()]
    return Dataset.from_dict({"input_ids": ids, "labels": ids})


def batches(steps: int) -> torch.Tensor:
    """Token ids, int64 of shape (steps, 8, `TOKENS`)."""
    rows = torch.tensor(train_rows()["input_ids"])
    return rows[torch.randint(len(rows), (steps, 8))]
