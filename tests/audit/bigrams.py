"""A model whose logits are a table, so that its own text costs next to nothing to draw."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from collapse_guard import Decoding, sample

START = 0
"""The token that all text begins with; it stands in the rows."""


class Bigrams(torch.nn.Module):
    """The next token by the last one alone: peaked after some, flat after others."""

    def __init__(self, vocabulary: int, *, seed: int = 0) -> None:
        super().__init__()
        random = np.random.default_rng(seed)
        common = -1.2 * np.log(np.arange(1, vocabulary + 1))
        spread = random.uniform(0.75, 3.0, (vocabulary, 1))
        table = common + spread * random.standard_normal((vocabulary, vocabulary))
        self.table = torch.nn.Parameter(torch.from_numpy(table).float())

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.table[input_ids]


def drawn_rows(
    model: torch.nn.Module,
    decoding: Decoding,
    *,
    rows: int,
    length: int = 32,
    seed: int = 0,
    prompt: Sequence[int] = (START,),
) -> list[dict[str, Any]]:
    """Rows of a prompt and what a model wrote after it, with a mask that tells the two apart."""
    written = sample(
        model,
        num_sequences=rows,
        length=length,
        seed=seed,
        prompt_ids=torch.tensor(prompt),
        decoding=decoding,
        batch_size=256,
    )
    mask = [0] * len(prompt) + [1] * length
    return [{"input_ids": [*prompt, *row], "drawn_mask": mask} for row in written.tolist()]


def likeliest(logits: torch.Tensor, targets: torch.Tensor) -> float:
    """The temperature of the highest likelihood, by nothing but the likelihood itself.

    Args:
        logits: Of shape (tokens, vocabulary).
        targets: int64 of shape (tokens,).
    """
    logits = logits.detach().double()

    def loss(log_beta: float) -> float:
        scaled = logits * float(np.exp(log_beta))
        return float(torch.nn.functional.cross_entropy(scaled, targets, reduction="sum"))

    found = minimize_scalar(loss, bounds=(-1.5, 3.0), method="bounded", options={"xatol": 1e-9})
    return float(np.exp(-found.x))
