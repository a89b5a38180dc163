"""Laws over a finite set of types as a sampler draws from them, for worlds made of tokens."""

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard import Decoding
from collapse_guard.examples.laboratory.world import Floats
from collapse_guard.model.next_token import candidates

_TAIL_MASS = 0.10


def decoded(laws: Floats, decoding: Decoding) -> Floats:
    """What a sampler draws from models' laws, by the package's own `Decoding`.

    Args:
        laws: float64 of shape (n, types); rows sum to 1.
        decoding: Temperature and cuts.

    Returns:
        Of the same shape.

    Example:
        >>> decoded(np.array([[0.8, 0.2]]), Decoding(temperature=0.5)).round(3).tolist()
        [[0.941, 0.059]]
    """
    with np.errstate(divide="ignore"):
        logits = torch.from_numpy(np.log(laws))
    kept, types = candidates(logits, decoding)
    drawn = torch.zeros_like(logits).scatter_(1, types, kept).numpy()
    return np.asarray(drawn / drawn.sum(1, keepdims=True), np.float64)


def zipf(types: int) -> Floats:
    """Shares in proportion to 1 / rank, float64 of shape (types,)."""
    shares = 1 / np.arange(1, types + 1)
    return np.asarray(shares / shares.sum(), np.float64)


def is_tail(types: int) -> npt.NDArray[np.bool_]:
    """Which types are the tail under `zipf`: the rarest that hold at most a tenth together."""
    return np.asarray(np.cumsum(zipf(types)[::-1])[::-1] <= _TAIL_MASS)


def entropies(laws: Floats) -> Floats:
    """Of laws along the last axis, in nats."""
    return np.asarray(-(laws * np.log(np.where(laws > 0, laws, 1.0))).sum(-1), np.float64)


def chosen(bounds: Floats, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """A draw from each of many laws.

    Args:
        bounds: float64 of shape (..., types): each law's shares, added up along the last axis.
        generator: Of the chance.

    Returns:
        int64 of shape (...).
    """
    chance = generator.random((*bounds.shape[:-1], 1))
    # Rounding may leave the last bound below 1.
    return np.asarray(np.minimum((bounds <= chance).sum(-1), bounds.shape[-1] - 1), np.int64)
