"""The likelihood of drawn tokens under a model whose logits are divided by a temperature.

By beta = 1 / T the log-likelihood of a token y is beta z_y - logsumexp(beta z): concave, with the
slope z_y - E[z] and the curvature Var[z], both under softmax(beta z). So sums of the three over the
tokens of each document, at a few temperatures, say all that is to be known of it: between two
temperatures the polynomial of degree 5 that agrees with them on both sides stands for it.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.audit.drawn_tokens import DrawnTokens, Scored
from collapse_guard.model.decoding import COLDEST_MATCHED
from collapse_guard.model.logprobs import check_finite, float_blocks

Floats = npt.NDArray[np.float64]

HOTTEST = 4.0
"""A highest temperature that is looked for: all but the most peaked models are noise there."""

_STEP = 0.3
"""At most so far apart are the logarithms of the temperatures that sums are kept at."""

_FARTHEST = 1e4
"""Logits further below the highest have no probability at any temperature that is looked at."""

_ROUNDING = 1e-6
"""A mean slope that is as good as none, in nats a token."""

LOG_BETAS: Floats = np.linspace(
    -math.log(HOTTEST),
    -math.log(COLDEST_MATCHED),
    math.ceil(math.log(HOTTEST / COLDEST_MATCHED) / _STEP) + 1,
)
"""log(1 / T) of these, rising."""


class Sums(NamedTuple):
    """Sums over the tokens of each document.

    Attributes:
        tokens: float64 of shape (documents,), how many are looked at.
        rows: How many rows have one.
        likelihood: float64 of shape (documents, betas, 3): the log-likelihood, and its first and
            second derivative by log beta, at each of `LOG_BETAS`.
        largest_rank: Of a drawn token among all types by their likelihood; 1 is the likeliest.
    """

    tokens: Floats
    rows: int
    likelihood: Floats
    largest_rank: int


class Peak(NamedTuple):
    """Where the log-likelihood is highest.

    Attributes:
        log_beta: log(1 / T); one of the ends of `LOG_BETAS` where it rises on beyond.
        slopes: float64 of shape (documents,), each one's own slope there by log beta.
        information: The curvature of the sum there, by log beta.
        is_end: Whether it is at an end.
    """

    log_beta: float
    slopes: Floats
    information: float
    is_end: bool


def sum_up(tokens: DrawnTokens, model: torch.nn.Module) -> Sums:
    """One pass over drawn tokens.

    Args:
        tokens: What is looked at.
        model: As in `DrawnTokens.scored`.

    Raises:
        ArgumentError: As in `DrawnTokens.scored`.
        TokenizerMismatchError: As in `DrawnTokens.scored`.
        ScoringError: As there, or a drawn token has no finite log-probability.
    """
    documents = int(tokens.documents.max()) + 1
    sums = np.zeros((documents, len(LOG_BETAS), 3))
    counts = np.zeros(documents)
    rows: set[int] = set()
    largest = 0
    for scored in tokens.scored(model):
        terms, rank = _terms(scored)
        np.add.at(sums, scored.documents, terms)
        counts += np.bincount(scored.documents, minlength=documents)
        rows.update(scored.where[:, 0].tolist())
        largest = max(largest, rank)
    used = counts > 0
    return Sums(counts[used], len(rows), sums[used], largest)


def _terms(scored: Scored) -> tuple[Floats, int]:
    """What each token adds, float64 of shape (tokens, betas, 3), and the largest rank."""
    parts, largest = [], 0
    for part, block in float_blocks(scored.logits):
        z, picked = centred(block, scored, part)
        largest = max(largest, int((z > picked[:, None]).sum(1).max()) + 1)
        found = [torch.stack(_moments(z, picked, math.exp(x)), 1) for x in LOG_BETAS]
        parts.append(torch.stack(found, 1).cpu())
    # On the CPU, since not every accelerator has float64.
    value, slope, curvature = torch.cat(parts).double().unbind(2)
    beta = torch.from_numpy(np.exp(LOG_BETAS))
    by_log = torch.stack([value, beta * slope, beta * slope - beta**2 * curvature], 2)
    return by_log.numpy(), largest


def _moments(
    z: torch.Tensor, picked: torch.Tensor, beta: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The log-likelihood of a token in each row, its slope by beta, and the variance of z."""
    weights = (beta * z).exp()
    total = weights.sum(1)
    weights *= z
    mean = weights.sum(1) / total
    weights *= z
    variance = weights.sum(1) / total - mean**2
    return beta * picked - total.log(), picked - mean, variance


def centred(block: torch.Tensor, scored: Scored, part: slice) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits below the highest of their row, and those of the drawn tokens.

    Args:
        block: float32 of shape (tokens, vocabulary), some of the logits.
        scored: What they are of.
        part: Which of its tokens.

    Returns:
        float32 of shape (tokens, vocabulary) and (tokens,), at most 0.

    Raises:
        ScoringError: One of a drawn token is not finite.
    """
    z = block - block.amax(1, keepdim=True)
    picked = z.gather(1, scored.targets[part, None]).squeeze(1)
    check_finite(picked, torch.from_numpy(scored.where[part]))
    return z.clamp_min(-_FARTHEST), picked


def find_peak(sums: Sums) -> Peak:
    """Where the sum over all documents is highest.

    Args:
        sums: Of at least one document.
    """
    totals = sums.likelihood.sum(0)
    # So that rounding is not taken for the other side of a peak: greedy text has none.
    rising = totals[:, 1] > -_ROUNDING * sums.tokens.sum()
    if not rising[0] or rising[-1]:
        end = -1 if rising[-1] else 0
        return Peak(float(LOG_BETAS[end]), sums.likelihood[:, end, 1], -float(totals[end, 2]), True)
    left = int(np.flatnonzero(rising)[-1])
    width = float(LOG_BETAS[left + 1] - LOG_BETAS[left])
    polynomials = _polynomials(sums.likelihood[:, left], sums.likelihood[:, left + 1], width)
    total = polynomials.sum(0)
    below, above = 0.0, 1.0
    while above - below > 1e-12:
        middle = (below + above) / 2
        below, above = (middle, above) if _slope(total, middle) > 0 else (below, middle)
    powers = np.arange(2, 6)
    curvature = total[2:] @ (powers * (powers - 1) * below ** (powers - 2))
    return Peak(
        float(LOG_BETAS[left] + width * below),
        _slope(polynomials, below) / width,
        -float(curvature) / width**2,
        False,
    )


def _polynomials(left: Floats, right: Floats, width: float) -> Floats:
    """Those that agree with values, slopes and curvatures at 0 and 1, by a variable of that width.

    Returns:
        float64 of shape (documents, 6): the coefficients, lowest first.
    """
    scales = np.array([1.0, width, width**2])
    (v0, s0, c0), (v1, s1, c1) = (left * scales).T, (right * scales).T
    value, slope, curvature = v1 - v0 - s0 - c0 / 2, s1 - s0 - c0, c1 - c0
    return np.stack(
        [
            v0,
            s0,
            c0 / 2,
            10 * value - 4 * slope + curvature / 2,
            -15 * value + 7 * slope - curvature,
            6 * value - 3 * slope + curvature / 2,
        ],
        axis=1,
    )


def _slope(polynomials: Floats, at: float) -> Floats:
    powers = np.arange(1, 6)
    slopes: Floats = polynomials[..., 1:] @ (powers * at ** (powers - 1.0))
    return slopes
