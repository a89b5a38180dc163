"""What the warpers of transformers keep of rows of logits, and what our cuts keep."""

from itertools import permutations
from unittest.mock import patch

import torch
from transformers import MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from collapse_guard.model.cuts import cut, is_kept
from collapse_guard.model.decoding import TRANSFORMERS_ORDER, Decoding

ORDERS = list(permutations(TRANSFORMERS_ORDER))

WARPERS = {"top_k": TopKLogitsWarper, "top_p": TopPLogitsWarper, "min_p": MinPLogitsWarper}

UNSTABLE_SORT = torch.sort


def stable_sort(rows: torch.Tensor, descending: bool) -> tuple[torch.Tensor, torch.Tensor]:
    return UNSTABLE_SORT(rows, stable=True, descending=descending)


def by_warpers(scaled: torch.Tensor, decoding: Decoding, *, stable: bool = True) -> torch.Tensor:
    """Which types are left after the warpers of transformers, one after the other.

    Args:
        scaled: float32 of shape (B, V), logits divided by the temperature.
        decoding: Whose cuts are made, in its order.
        stable: Whether they sort stably. Torch's sort, which is theirs, is stable on GPUs at the
            size of vocabularies, but not on every CPU.
    """
    with patch("torch.sort", stable_sort if stable else UNSTABLE_SORT):
        for name in decoding.order:
            value = getattr(decoding, name)
            if value is not None:
                scaled = WARPERS[name](value)(None, scaled)
    return ~scaled.isneginf()


def ours(scaled: torch.Tensor, decoding: Decoding) -> torch.Tensor:
    """Which types are left after our cuts."""
    kept = cut(scaled, decoding)
    return is_kept(scaled, kept.lowest, kept.ties)


def logits(seed: int, rows: int, vocabulary: int, *, grain: float, spread: float) -> torch.Tensor:
    """Normal logits; `grain` above 0 rounds them to its multiples, so that many tie."""
    drawn = spread * torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(seed))
    return (drawn / grain).round() * grain if grain else drawn
