"""Which types a sampler can draw: the one place that knows, for drawing and for scoring.

What is left after any number of cuts is told by two numbers a row: the lowest logit that is kept,
and how many of the types that have this very logit are. So a cut is found from the likeliest few
columns where they decide it, and only the other rows are read whole or sorted.

Ties are broken as the warpers of transformers break them. All types that tie with the k-th stay.
Of those that tie where `top_p` ends, the highest ids stay, as many as are needed: that is what a
stable sort does, and torch's is stable on GPUs at the size of vocabularies. (On CPUs with AVX-512
it is not, and transformers keeps as many of them, but chance ones.)
"""

import math
from typing import NamedTuple

import numpy as np
import torch

from collapse_guard.model.decoding import Decoding

_LIKELIEST = (256, 4096)
"""Columns looked at where no top-k says how many: more than are kept of most rows of large, peaked
models, and then for a top-p of nearly all."""

_SPARE = 16
"""Columns beyond a top-k, for those that tie with the k-th: common in bfloat16."""

_WORTH = 8
"""How many times as many types there must be for the likeliest to be found first.

Numpy sorts a few thousand numbers on a CPU in the time in which torch finds the highest 256.
"""

_ROUNDING = 1e-5
"""A share this near to its limit may fall on the other side with another order of additions."""

_TOGETHER = 8
"""Columns whose highest logit stands for them: from 2,048 types to 150 thousand within a tenth or
two of what is best where 50 to 4,096 are looked for."""

FAR = 1e30
"""Beyond any logit, and small enough for float32 to reckon with."""


class Kept(NamedTuple):
    """What cuts leave over of rows of logits.

    Attributes:
        lowest: Of shape (B,), the lowest logit that is kept; minus infinity where nothing is cut.
        ties: int64 of shape (B,), how many of the types with that very logit are kept, those with
            the highest ids; the size of the vocabulary where it is all of them.
        likeliest: int64 of shape (B, C), the ids of the C likeliest types, likeliest first; None
            where they were not looked for.
        among_likeliest: bool of shape (B,), whether all that are kept are among those.
    """

    lowest: torch.Tensor
    ties: torch.Tensor
    likeliest: torch.Tensor | None
    among_likeliest: torch.Tensor


def cut(scaled: torch.Tensor, decoding: Decoding) -> Kept:
    """What a sampler's cuts leave over of each row.

    Args:
        scaled: float32 or float64 of shape (B, V): logits, divided by the temperature already. A
            row that holds NaN is not cut where the NaN is.
        decoding: Whose cuts are made, in its order.

    Example:
        >>> logits = torch.tensor([[0.5, 0.1, 0.4]]).log()
        >>> kept = cut(logits, Decoding(top_p=0.6))
        >>> is_kept(logits, kept.lowest, kept.ties).tolist()
        [[True, False, True]]
    """
    scaled = scaled.detach()
    return _cut(scaled, decoding, _sizes(decoding, scaled.shape[1]))


def is_kept(
    values: torch.Tensor,
    lowest: torch.Tensor,
    ties: torch.Tensor,
    ids: torch.Tensor | None = None,
) -> torch.Tensor:
    """Which types can be drawn.

    Args:
        values: Of shape (B, C), the scaled logits that were cut, or columns of them among which are
            all that are kept.
        lowest: As `cut` gave it for these rows.
        ties: As `cut` gave it for these rows.
        ids: int64 of shape (B, C), the types that `values` belong to; None for all types in the
            order of their ids.

    Returns:
        bool of shape (B, C); True for NaN.
    """
    lowest = lowest[:, None]
    # Not `values >= lowest`, so that a NaN stays and is seen.
    mask = ~(values < lowest)
    split = (ties < values.shape[1]).nonzero().squeeze(1)
    if len(split):
        tied = values[split] == lowest[split]
        order = None if ids is None else ids[split].argsort(1)
        rising = tied if order is None else tied.gather(1, order)
        rank_from_top = rising.flip(1).cumsum(1).flip(1)
        first = rising & (rank_from_top <= ties[split, None])
        if order is not None:
            first = torch.zeros_like(first).scatter(1, order, first)
        mask[split] &= first | ~tied
    return mask


def _sizes(decoding: Decoding, vocabulary: int) -> tuple[int, ...]:
    """How many of the likeliest types to look at, and at how many more where they do not do."""
    if "top_k" in decoding.cuts:
        sizes: tuple[int, ...] = ((decoding.top_k or 0) + _SPARE,)
    else:
        sizes = _LIKELIEST if "top_p" in decoding.cuts else _LIKELIEST[:1]
    return tuple(size for size in sizes if decoding.cuts and _WORTH * size < vocabulary)


def _cut(scaled: torch.Tensor, decoding: Decoding, sizes: tuple[int, ...]) -> Kept:
    if not sizes:
        lowest, ties = _cut_whole(scaled, decoding)
        return Kept(lowest, ties, None, torch.zeros_like(lowest, dtype=torch.bool))
    values, ids = likeliest(scaled, sizes[0])
    lowest, ties, sure = _cut_likeliest(values, scaled, decoding)
    unsure = sure.logical_not().nonzero().squeeze(1)
    if len(unsure):
        lowest[unsure], ties[unsure], _, _ = _cut(scaled[unsure], decoding, sizes[1:])
    return Kept(lowest, ties, ids, values[:, -1] < lowest)


def likeliest(scaled: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The likeliest types of each row.

    Args:
        scaled: Of shape (B, V).
        size: How many to look for, C.

    Returns:
        Their values, falling, and int64 their ids, both of shape (B, C). Values are those of
        `torch.topk`; which of the types that tie with the last one are there may be others.
    """
    vocabulary = scaled.shape[1]
    apart = vocabulary // _TOGETHER
    if not scaled.is_cpu or apart < size:
        values, ids = scaled.topk(size)
        return values, ids
    # On a CPU twice as fast: whatever set of columns does not have one of the C highest maxima has
    # no logit above the C that are such maxima.
    end = apart * _TOGETHER
    highest = scaled[:, :end].unflatten(1, (_TOGETHER, apart)).amax(1)
    first = highest.topk(size, sorted=False).indices
    among = (first[:, None] + torch.arange(0, end, apart)[:, None]).flatten(1)
    if end < vocabulary:
        among = torch.cat([among, torch.arange(end, vocabulary).expand(len(scaled), -1)], dim=1)
    values, at = scaled.gather(1, among).topk(size)
    return values, among.gather(1, at)


def _cut_likeliest(
    values: torch.Tensor, scaled: torch.Tensor, decoding: Decoding
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The cuts by the likeliest types alone.

    Args:
        values: Of shape (B, C), the highest of each row, falling.
        scaled: Of shape (B, V), whole rows.
        decoding: Whose cuts are made.

    Returns:
        `lowest` and `ties` as in `Kept`, and bool of shape (B,): whether they are sure to be those
        of `_cut_whole`.
    """
    weights = (values - values[:, :1]).exp()
    below = values[:, -1]
    lowest, ties = _nothing_cut(scaled)
    sure = torch.ones_like(lowest, dtype=torch.bool)
    for name in decoding.cuts:
        share = getattr(decoding, name)
        found_ties = torch.full_like(ties, scaled.shape[1])
        if name == "top_k":
            found = values[:, share - 1]
        elif name == "min_p":
            sure &= ((weights / share - 1).abs() > _ROUNDING).all(1)
            found = _last(values, weights >= share)
        else:
            left = values >= lowest[:, None]
            here = weights * left
            if torch.isneginf(lowest).all():
                total = (scaled - values[:, :1]).exp().sum(1, keepdim=True)
            else:
                total = here.sum(1, keepdim=True)
                sure &= below < lowest
            likelier = (cumulative_sums(here) - here) / total
            sure &= ((likelier - share).abs() > _ROUNDING).all(1)
            passing = left & (likelier < share)
            found = _last(values, passing)
            tied = values == found[:, None]
            found_ties = _or_all((passing & tied).sum(1), tied.sum(1), found_ties)
        lowest, ties = _higher(lowest, ties, found, found_ties)
    return lowest, ties, sure & (below < lowest)


def _cut_whole(scaled: torch.Tensor, decoding: Decoding) -> tuple[torch.Tensor, torch.Tensor]:
    """The cuts by whole rows, operation by operation as transformers makes them.

    Returns:
        `lowest` and `ties` as in `Kept`.
    """
    vocabulary = scaled.shape[1]
    lowest, ties = _nothing_cut(scaled)
    left = scaled
    for number, name in enumerate(decoding.cuts):
        if number:
            left = scaled.masked_fill(~is_kept(scaled, lowest, ties), -math.inf)
        share = getattr(decoding, name)
        found_ties = torch.full_like(ties, vocabulary)
        if name == "top_k":
            found = left.topk(min(share, vocabulary)).values[:, -1]
        elif name == "min_p":
            probabilities = left.softmax(1)
            gone = probabilities < share * probabilities.amax(1, keepdim=True)
            # Not `masked_fill`, whose branches take several times as long as a product.
            found = (left.clamp_min(-FAR) + gone.to(left.dtype) * (2 * FAR)).amin(1)
        else:
            rising = sorted_rows(left)
            limit = scaled.new_full((len(scaled), 1), 1 - share)
            first = torch.searchsorted(cumulative_sums(rising.softmax(1)), limit, right=True)
            # The likeliest stays, whatever the rounding.
            first = first.clamp_max(vocabulary - 1)
            found = rising.gather(1, first)
            lower, at_most = (
                torch.searchsorted(rising, found, right=right) for right in (False, True)
            )
            found_ties = _or_all(
                (at_most - first).squeeze(1), (at_most - lower).squeeze(1), found_ties
            )
            found = found.squeeze(1)
        lowest, ties = _higher(lowest, ties, found, found_ties)
    return lowest, ties


def _nothing_cut(scaled: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    lowest = torch.full_like(scaled[:, 0], -math.inf)
    return lowest, torch.full_like(lowest, scaled.shape[1], dtype=torch.int64)


def _higher(
    lowest: torch.Tensor, ties: torch.Tensor, found: torch.Tensor, found_ties: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of two cuts the one that leaves less over."""
    fewer = torch.where(found == lowest, torch.minimum(ties, found_ties), ties)
    higher = found > lowest
    return torch.where(higher, found, lowest), torch.where(higher, found_ties, fewer)


def _or_all(some: torch.Tensor, tied: torch.Tensor, every: torch.Tensor) -> torch.Tensor:
    """How many of those that tie are kept, in the way that says "all" where it is all of them."""
    return torch.where(some == tied, every, some)


def _last(values: torch.Tensor, passing: torch.Tensor) -> torch.Tensor:
    """The last of the values that pass, which are the first of each row; the first if none does."""
    last = (passing.sum(1, keepdim=True) - 1).clamp_min(0)
    return values.gather(1, last).squeeze(1)


def sorted_rows(rows: torch.Tensor) -> torch.Tensor:
    """Rows of shape (B, C) in rising order, contiguous."""
    rows = rows.contiguous()
    if rows.is_cpu:
        # Several times as fast as torch, which sorts positions along.
        return torch.from_numpy(np.sort(rows.numpy(), axis=1))
    return rows.sort(1).values


def cumulative_sums(rows: torch.Tensor) -> torch.Tensor:
    """Sums of each row of shape (B, C) from its beginning on."""
    if rows.is_cuda and torch.are_deterministic_algorithms_enabled():
        # Where torch refuses the accelerator's own.
        return rows.cpu().cumsum(1).to(rows.device)
    return rows.cumsum(1)
