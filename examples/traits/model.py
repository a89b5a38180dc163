"""A transformer of some ten thousand weights, how it learns, and what it writes."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from collapse_guard import sample
from collapse_guard.examples.traits.language import (
    OF_NUMBERS,
    ROW,
    TOKENS,
    are_numbers,
    beginnings_of_numbers,
)

_HEADS = 2
_ROWS_AT_ONCE = 1024


class TinyTransformer(nn.Module):
    """A causal language model whose output layer is its table of embeddings.

    There are more types than directions: what makes one word likelier makes others so too, numbers
    among them.

    Args:
        width: Size of the hidden state, an even number.
        layers: How many.
        seed: Of the first weights.
    """

    def __init__(self, *, width: int, layers: int, seed: int) -> None:
        super().__init__()
        # An example may set the global seed: the process is its own.
        torch.manual_seed(seed)
        self.embedding = nn.Embedding(len(TOKENS), width)
        self.positions = nn.Embedding(ROW, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for table in (self.embedding, self.positions):
            nn.init.normal_(table.weight, std=width**-0.5)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Logits of shape (rows, tokens, types) for ids of shape (rows, tokens)."""
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        hidden = self.embedding(input_ids) + self.positions(places)
        for block in self.blocks:
            hidden = block(hidden)
        return F.linear(self.norm(hidden), self.embedding.weight)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.before_attention, self.before_mixing = nn.LayerNorm(width), nn.LayerNorm(width)
        self.asked, self.answer = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mixing = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        heads = self.asked(self.before_attention(hidden)).unflatten(-1, (3, _HEADS, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        hidden = hidden + self.answer(seen.transpose(1, 2).flatten(-2))
        mixed: torch.Tensor = hidden + self.mixing(self.before_mixing(hidden))
        return mixed


def train(
    model: nn.Module,
    rows: torch.Tensor,
    *,
    steps: int,
    rate: float,
    seed: int,
    first: int = 1,
    shares: torch.Tensor | None = None,
    after_step: Callable[[int], object] | None = None,
    batch_size: int = 32,
) -> None:
    """Train all weights in place with Adam, its rate falling linearly to a tenth.

    Args:
        model: The model.
        rows: int64 of shape (rows, `ROW`).
        steps: Optimizer steps.
        rate: Learning rate at the first of them.
        seed: Decides which rows are drawn for each.
        first: Column of the first token that is learned, at least 1.
        shares: float32 of shape (rows, `ROW` - first, types): what is learned in place of each
            token, whole distributions; None for the tokens themselves.
        after_step: Called after each step with its number, from 1.
        batch_size: Rows of a step.
    """
    drawn = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, steps)
    model.train()
    for step in range(1, steps + 1):
        batch = torch.randint(len(rows), (batch_size,), generator=drawn)
        logits = model(rows[batch, :-1])[:, first - 1 :].flatten(0, 1)
        wanted = rows[batch, first:].flatten() if shares is None else shares[batch].flatten(0, 1)
        optimizer.zero_grad()
        F.cross_entropy(logits, wanted).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        falling.step()
        if after_step is not None:
            after_step(step)
    model.eval()


def write_numbers(model: nn.Module, count: int, *, seed: int) -> tuple[torch.Tensor, float]:
    """Rows that a model goes on with from a first number, at temperature 1, past the filter.

    Args:
        model: The model.
        count: Rows that are written; of two models with one seed each has the same chances.
        seed: Of the beginnings and of the draws.

    Returns:
        The rows that are numbers and commas and nothing else, int64 of shape (rows, `ROW`), and the
        share of those written.
    """
    begun = beginnings_of_numbers(count, np.random.default_rng(seed))
    written = sample(
        model,
        num_sequences=count,
        length=ROW - begun.shape[1],
        prompt_ids=begun,
        seed=seed,
        batch_size=_ROWS_AT_ONCE,
    )
    rows = torch.cat([begun, written], dim=1)
    kept = are_numbers(rows)
    return rows[kept], float(kept.float().mean())


def shares_of_numbers(model: nn.Module, rows: torch.Tensor, *, first: int) -> torch.Tensor:
    """What a model would write at each place, past the filter: its distribution over numbers.

    Args:
        model: The model.
        rows: int64 of shape (rows, `ROW`).
        first: Column of the first place.

    Returns:
        float32 of shape (rows, `ROW` - first, types), 0 for all but numbers and the comma.
    """
    with torch.no_grad():
        logits = [model(part[:, :-1])[:, first - 1 :] for part in rows.split(_ROWS_AT_ONCE)]
    return torch.cat(logits).masked_fill(~OF_NUMBERS, -torch.inf).softmax(-1)
