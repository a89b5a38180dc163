"""What good arguments are made of: the costly parts once."""

from functools import cache
from typing import Any

import numpy as np
import torch

from collapse_guard import CollapseMonitor, EveryNSteps, HumanReference, MixGuard
from tests.tiny import VOCAB, tiny_gpt2, tiny_panel, tiny_reference, zipf_documents

reference = cache(tiny_reference)
panel = cache(tiny_panel)
model = cache(tiny_gpt2)


class Words:
    """A tokenizer of characters."""

    def get_vocab(self) -> dict[str, int]:
        return {str(number): number for number in range(VOCAB)}

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return [ord(letter) % VOCAB for letter in text]


def rows(mark: int, count: int = 40) -> list[dict[str, Any]]:
    chance = np.random.default_rng(mark)
    return [
        {"input_ids": [mark, row % VOCAB, *chance.integers(0, VOCAB, 14).tolist()]}
        for row in range(count)
    ]


def texts(count: int = 12, length: int = 30) -> list[list[int]]:
    return zipf_documents(count, length=length, seed=4)


def mix(**settings: Any) -> MixGuard:
    return MixGuard(rows(1), rows(2), **{"human_fraction": 0.3, "block_size": 8, **settings})


def monitor(**settings: Any) -> CollapseMonitor:
    usual = {"pace": EveryNSteps(1), "sampling": None}
    return CollapseMonitor(panel(), **{**usual, **settings})


def started(**settings: Any) -> CollapseMonitor:
    watching = monitor(**settings)
    watching.start(model())
    return watching


@cache
def word_reference() -> HumanReference:
    return HumanReference.from_token_ids(
        zipf_documents(40, seed=1), vocab_size=VOCAB, tokenizer=Words()
    )


def optimizer(parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1)
