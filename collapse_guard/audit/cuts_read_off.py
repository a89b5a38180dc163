"""What a sampler cut away, read off tokens under the very model that they were drawn from.

Each drawn token was among the k likeliest, so the largest rank drawn is at most k and comes near
it. Each was kept by a top-p, so that the largest mass strictly above a drawn token is below p and
comes near it. Each was kept by a min-p, so that the smallest probability drawn, over that of the
likeliest type, comes near it from above. The last two depend on the temperature, and the
temperature that fits best on what was kept. So it is done for many temperatures: each with the
tightest cuts that keep all that was drawn, which are the likeliest; and the likeliest of these
readings is taken.

Where nothing was cut, the tightest cut still raises the likelihood a little: by the logarithm of
the probability to draw nothing beyond it, which exceeds log c in 1 of c cases. So a cut has to
raise it by more than `_GAIN` to be taken for one.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.audit.drawn_tokens import DrawnTokens
from collapse_guard.audit.tempered_likelihood import HOTTEST, Peak, centred
from collapse_guard.model.cuts import cumulative_sums, sorted_rows
from collapse_guard.model.logprobs import float_blocks

Floats = npt.NDArray[np.float64]

_GAIN = math.log(1000.0)

_STEP = 0.06
"""So far apart are the logarithms of the temperatures."""

_BELOW, _ABOVE = 0.1, 1.5
"""How far they reach from the one that fits best without cuts, which is lower than the true one."""

_ROUND = sorted(
    {digit * 10**power for digit in (1, 2, 3, 4, 5, 6, 8) for power in range(4)}
    | {2**power for power in range(3, 13)}
    | {15, 25, 150, 250}
)
"""Settings of top-k that people choose, for rows that a top-p has kept from the last ranks."""

_TIMES_RANK = 3
"""Up to so many times the largest rank drawn they are tried."""

_ROUNDING = 1e-6

_DIGITS = 10**4
"""What shares are rounded to."""


class Cuts(NamedTuple):
    """What was cut away.

    Attributes:
        top_k: The k; None where no such cut is seen.
        top_p: The p, of what top-k has left over; None where no such cut is seen.
        min_p: Likewise; it is looked for by itself only.
    """

    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None


class _Tightest(NamedTuple):
    """The tightest cuts that keep all that was drawn, at each temperature.

    Attributes:
        shares: float64 of shape (betas, sizes), the top-p after each top-k, above 0 and at most 1.
        ratios: float64 of shape (betas,), the min-p, above 0 and at most 1.
    """

    shares: Floats
    ratios: Floats


def read_cuts(
    tokens: DrawnTokens, model: torch.nn.Module, largest_rank: int, plain: Peak
) -> tuple[Cuts, Peak]:
    """The cuts, and the temperature under them, from two passes over drawn tokens.

    Args:
        tokens: What is looked at.
        model: The one that they were drawn from.
        largest_rank: As in `Sums`.
        plain: The temperature that fits best without a cut; it is returned where none is seen.
    """
    highest = plain.log_beta + _BELOW
    lowest = max(plain.log_beta - _ABOVE, -math.log(HOTTEST))
    log_betas = np.linspace(lowest, highest, math.ceil((highest - lowest) / _STEP) + 4)
    sizes = [None, largest_rank, *(k for k in _ROUND if 1 < k / largest_rank <= _TIMES_RANK)]
    tightest = _tightest_cuts(tokens, model, log_betas, sizes)
    values, slopes = _profiles(tokens, model, log_betas, sizes, tightest)
    penalties = _GAIN * np.array([0, *[1] * (len(sizes) - 1), 1, *[2] * (len(sizes) - 1), 1])
    best = int(np.argmax([_height(each) for each in values.T] - penalties))
    peak = None if best == 0 else _peak(log_betas, values[:, best], slopes[..., best])
    if peak is None:
        return Cuts(), plain
    if best == 2 * len(sizes):
        ratio = float(np.interp(peak.log_beta, log_betas, tightest.ratios))
        return Cuts(min_p=math.floor(ratio * _DIGITS) / _DIGITS), peak
    has_share, size = divmod(best, len(sizes))
    share = float(np.interp(peak.log_beta, log_betas, tightest.shares[:, size]))
    # Up, and a ratio down, so that what was drawn is kept.
    top_p = math.ceil(share * _DIGITS) / _DIGITS if has_share else None
    return Cuts(sizes[size], top_p), peak


class _Part(NamedTuple):
    """Some tokens and all types, likeliest first.

    Attributes:
        documents: int64 of shape (tokens,).
        z: float32 of shape (tokens, vocabulary), logits, falling from 0.
        picked: float32 of shape (tokens, 1), those of the drawn tokens.
        likelier: int64 of shape (tokens, 1), how many types are likelier than the drawn one.
        last: int64 of shape (tokens, sizes), where the last type stands that each top-k keeps.
    """

    documents: npt.NDArray[np.int64]
    z: torch.Tensor
    picked: torch.Tensor
    likelier: torch.Tensor
    last: torch.Tensor


def _parts(
    tokens: DrawnTokens, model: torch.nn.Module, sizes: Sequence[int | None]
) -> Iterator[_Part]:
    for scored in tokens.scored(model):
        for part, block in float_blocks(scored.logits):
            logits, picked = centred(block, scored, part)
            z = sorted_rows(logits).flip(1)
            picked = picked[:, None]
            vocabulary = z.shape[1]
            ends = [min(size or vocabulary, vocabulary) - 1 for size in sizes]
            # All that tie with the last one stay.
            last = torch.searchsorted(-z, -z[:, ends], right=True) - 1
            yield _Part(scored.documents[part], z, picked, (z > picked).sum(1, keepdim=True), last)


def _tightest_cuts(
    tokens: DrawnTokens,
    model: torch.nn.Module,
    log_betas: Floats,
    sizes: Sequence[int | None],
) -> _Tightest:
    shares = np.zeros((len(log_betas), len(sizes)))
    lowest = 0.0
    for part in _parts(tokens, model, sizes):
        lowest = min(lowest, float(part.picked.min()))
        for line, beta in enumerate(np.exp(log_betas)):
            masses = cumulative_sums((beta * part.z).exp())
            above = masses.gather(1, (part.likelier - 1).clamp_min(0)) * (part.likelier > 0)
            found = (above / masses.gather(1, part.last)).amax(0)
            shares[line] = np.maximum(shares[line], found.cpu().numpy())
    return _Tightest(np.minimum(shares + _ROUNDING, 1.0), np.exp(np.exp(log_betas) * lowest))


def _profiles(
    tokens: DrawnTokens,
    model: torch.nn.Module,
    log_betas: Floats,
    sizes: Sequence[int | None],
    tightest: _Tightest,
) -> tuple[Floats, Floats]:
    """Log-likelihoods under each top-k alone, under each with its top-p, and under min-p.

    Returns:
        float64 of shape (betas, 2 x sizes + 1), and of shape (documents, betas, 2 x sizes + 1) the
        slopes by log beta of each document's own, with what is kept held as it is.
    """
    documents = int(tokens.documents.max()) + 1
    values = np.zeros((len(log_betas), 2 * len(sizes) + 1))
    slopes = np.zeros((documents, *values.shape))
    for part in _parts(tokens, model, sizes):
        for line, beta in enumerate(np.exp(log_betas)):
            weights = (beta * part.z).exp()
            masses, firsts = cumulative_sums(weights), cumulative_sums(weights * part.z)
            limits = masses.gather(1, part.last) * masses.new_tensor(tightest.shares[line])
            of_shares = torch.minimum(torch.searchsorted(masses, limits), part.last)
            of_ratio = (weights >= tightest.ratios[line]).sum(1, keepdim=True) - 1
            last = torch.cat([part.last, of_shares, of_ratio], dim=1)
            # The drawn token is kept, whatever the rounding.
            last = torch.maximum(last, part.likelier)
            kept = masses.gather(1, last)
            value = beta * part.picked - kept.log()
            slope = beta * (part.picked - firsts.gather(1, last) / kept)
            values[line] += value.cpu().double().sum(0).numpy()
            np.add.at(slopes[:, line], part.documents, slope.cpu().double().numpy())
    return values, slopes


def _height(values: Floats) -> float:
    """The highest of a parabola through the three highest of some equally spaced values."""
    top = int(np.argmax(values))
    if top in (0, len(values) - 1):
        return float(values[top])
    left, middle, right = values[top - 1 : top + 2]
    return float(middle + (right - left) ** 2 / (8 * (2 * middle - left - right)))


def _peak(log_betas: Floats, values: Floats, slopes: Floats) -> Peak | None:
    """Where slopes add up to 0 near the highest of the values; None where they do not.

    What is kept moves with the temperature, but tokens follow the law of what is kept, whose
    slopes have a mean of 0 at the true temperature. So these are solved for, not for the highest
    value, and their sum's own slope is the information.
    """
    totals = slopes.sum(0)
    crossings = np.flatnonzero((totals[:-1] > 0) & (totals[1:] <= 0))
    if not len(crossings):
        return None
    left = int(crossings[np.argmin(np.abs(crossings + 0.5 - np.argmax(values)))])
    first = min(max(left - 1, 0), len(log_betas) - 4)
    nodes, near = log_betas[first : first + 4], slopes[:, first : first + 4]
    below, above = log_betas[left], log_betas[left + 1]
    while above - below > 1e-9:
        middle = (below + above) / 2
        is_below = near.sum(0) @ _lagrange(nodes, middle) > 0
        below, above = (middle, above) if is_below else (below, middle)
    step = 0.01 * (nodes[1] - nodes[0])
    either_side = _lagrange(nodes, below - step) - _lagrange(nodes, below + step)
    information = float(near.sum(0) @ either_side) / (2 * step)
    return Peak(float(below), near @ _lagrange(nodes, below), information, False)


def _lagrange(nodes: Floats, at: float) -> Floats:
    """What the values at each node count in the polynomial through all of them."""
    weights: Floats = np.array(
        [
            np.prod((at - np.delete(nodes, i)) / (nodes[i] - np.delete(nodes, i)))
            for i in range(len(nodes))
        ]
    )
    return weights
