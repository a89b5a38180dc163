"""Human text of a world in which the next token depends on the last one, and models of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.model.decoding import PLAIN, Decoding
from collapse_guard.model.sample import sample

TYPES = 40
LENGTH = 32


def human_documents(
    count: int, *, length: int = LENGTH, seed: int = 0
) -> list[npt.NDArray[np.int64]]:
    """Documents of a chain, each of whose types is followed by all others with Zipf's law."""
    laws = np.array([np.random.default_rng(state).permutation(TYPES) for state in range(TYPES)])
    shares = np.cumsum(1 / np.arange(1, TYPES + 1))
    generator = np.random.default_rng([seed, count])
    text = np.zeros((count, length), np.int64)
    text[:, 0] = generator.integers(TYPES, size=count)
    for place in range(1, length):
        ranks = np.searchsorted(shares, generator.random(count) * shares[-1])
        text[:, place] = laws[text[:, place - 1], ranks]
    return list(text)


class Chain(torch.nn.Module):
    """A table of logits, with dropout and with a buffer that moves in training mode.

    Args:
        dropout: Of the logits' probabilities to be set to 0.
    """

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(TYPES, TYPES)
        self.dropout = torch.nn.Dropout(dropout)
        self.register_buffer("mean", torch.zeros(TYPES))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.mean: torch.Tensor
        self.calls: torch.Tensor

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        logits = self.dropout(self.table(input_ids))
        if self.training:
            self.calls += 1
            # A new tensor in the buffer's place, as many a moving average is kept.
            self.mean = 0.9 * self.mean + 0.1 * logits.detach().mean((0, 1))
        return logits


def learnt_chain(*, dropout: float = 0.0) -> Chain:
    """A model that has counted what follows what in human text."""
    with torch.random.fork_rng(devices=[]):
        model = Chain(dropout)
    text = np.array(human_documents(400, seed=1))
    counts = np.full((TYPES, TYPES), 0.5)
    np.add.at(counts, (text[:, :-1], text[:, 1:]), 1)
    with torch.no_grad():
        model.table.weight.copy_(torch.from_numpy(np.log(counts)))
    return model


def written_rows(
    model: torch.nn.Module, decoding: Decoding = PLAIN, *, count: int = 96, seed: int = 0
) -> list[dict[str, Any]]:
    """Rows that a model has drawn, each from a type of its own."""
    starts = torch.arange(count)[:, None] % TYPES
    drawn = sample(
        model,
        num_sequences=count,
        length=LENGTH - 1,
        seed=seed,
        prompt_ids=starts,
        decoding=decoding,
    )
    return [{"input_ids": row} for row in torch.cat([starts, drawn], dim=1).tolist()]


def adam(rate: float = 0.03) -> Callable[[list[torch.nn.Parameter]], torch.optim.Optimizer]:
    return lambda parameters: torch.optim.Adam(parameters, lr=rate)
