"""One token drawn for each row of a batch of logits, from random numbers that the caller brings."""

from collections.abc import Sequence

import numpy as np
import torch

from collapse_guard.errors import ScoringError
from collapse_guard.model.cuts import cut, is_kept
from collapse_guard.model.decoding import PLAIN, Decoding


def candidates(
    logits: torch.Tensor, decoding: Decoding = PLAIN
) -> tuple[torch.Tensor, torch.Tensor]:
    """The tokens that may come next, and their probabilities.

    Args:
        logits: float32 of shape (B, V).
        decoding: The temperature, and what is cut.

    Returns:
        Probabilities float32 of shape (B, C), zero for what is not kept, whose rows need not sum
        to 1; and the token ids int64 of shape (B, C) that they belong to.

    Example:
        >>> logits = torch.tensor([[0.5, 0.1, 0.4]]).log()
        >>> probabilities, ids = candidates(logits, Decoding(top_p=0.6))
        >>> ids[probabilities > 0].tolist()
        [0, 2]
    """
    scaled = logits / decoding.temperature
    lowest, ties, _, _ = cut(scaled, decoding)
    vocabulary = scaled.shape[-1]
    if decoding.top_k is None and decoding.top_p is None:
        values, ids = scaled, torch.arange(vocabulary, device=scaled.device).expand_as(scaled)
    else:
        columns = min(decoding.top_k or vocabulary, vocabulary)
        if columns < vocabulary:
            # More than k, where some tie with the k-th.
            columns = max(columns, int((scaled >= lowest[:, None]).sum(1).max()))
        values, ids = scaled.topk(columns, dim=-1)
    kept = is_kept(values, lowest, ties, ids)
    return values.softmax(-1).masked_fill(~kept, 0.0), ids


def draw(probabilities: torch.Tensor, random: torch.Tensor) -> torch.Tensor:
    """Invert the cumulative distribution of each row.

    Args:
        probabilities: Of shape (B, C), at least 0; rows need not sum to 1.
        random: float64 of shape (B,), uniform in [0, 1).

    Returns:
        int64 of shape (B, 1), the column drawn: never one of probability 0.

    Raises:
        ScoringError: A row is not a number, or all zero.

    Example:
        >>> draw(torch.tensor([[0.25, 0.0, 0.75]] * 3), torch.tensor([0.2, 0.25, 0.9])).flatten()
        tensor([0, 2, 2])
    """
    if probabilities.device.type == "mps" or torch.are_deterministic_algorithms_enabled():
        # The first has no float64, and the second refuses cumulative sums on an accelerator.
        probabilities = probabilities.cpu()
    # In float64: over a vocabulary of 100,000 a float32 sum loses the tail to rounding.
    cumulative = probabilities.double().cumsum(-1)
    total = cumulative[:, -1]
    if not bool(((total > 0) & total.isfinite()).all()):
        raise ScoringError(
            "the model gives no probabilities to draw from: its logits are not a number, or all "
            "of them are minus infinity. Look for a diverged loss or a broken weight."
        )
    # Rounding may lift the product to the total itself, past which no token lies.
    target = torch.minimum(
        random.to(total.device) * total, total.nextafter(torch.zeros_like(total))
    )
    return torch.searchsorted(cumulative, target[:, None], right=True)


def uniforms(seed: int, sequences: Sequence[int], length: int) -> torch.Tensor:
    """Random numbers by the number of the sequence that they are for.

    Args:
        seed: At least 0.
        sequences: The sequences' numbers. The row of a number is the same among any others.
        length: Random numbers for each.

    Returns:
        float64 of shape (len(sequences), length), uniform in [0, 1), on the CPU.

    Example:
        >>> bool((uniforms(3, range(8), 5)[6] == uniforms(3, range(6, 7), 5)[0]).all())
        True
    """
    streams = (np.random.SeedSequence(seed, spawn_key=(number,)) for number in sequences)
    rows = [np.random.Generator(np.random.Philox(stream)).random(length) for stream in streams]
    return torch.from_numpy(np.stack(rows))
