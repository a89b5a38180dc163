"""The positions that a model found surprising before it was trained."""

import math
from typing import Any

import numpy as np
import torch

from collapse_guard.arguments import number
from collapse_guard.errors import PanelError
from collapse_guard.readings.at_positions import (
    Floats,
    by_document,
    check_logprobs,
    retention,
)
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.readings.panel import Panel
from collapse_guard.statistics.estimates import Estimate, document_means, exponential


def contextual_tail(start_logprobs: Floats, panel: Panel, *, below: float) -> torch.Tensor:
    """Held-out positions whose token the starting model gave less than a stated probability.

    It answers "what did the model already find surprising", where the reference's tail answers
    "what is rare": a common word in an odd place is in the first and not in the second.

    Args:
        start_logprobs: float64 of shape (positions,), natural logarithms: what `panel_logprobs`
            gives for the starting model, or its `PanelScores.position_logprobs`.
        panel: The held-out text that they were taken on.
        below: The probability, in (0, 1].

    Returns:
        bool of shape (windows, tokens), on the CPU.

    Raises:
        ArgumentError: A probability out of range, or another number of log-probabilities.
        PanelError: No position is so improbable.
    """
    below = _checked_below(below)
    check_logprobs("start_logprobs", start_logprobs, panel)
    surprising = np.asarray(start_logprobs) < math.log(below)
    if not surprising.any():
        raise PanelError(
            f"no position of the panel has a probability below {below} under the starting model "
            f"(the least is {math.exp(np.min(start_logprobs)):.2g}): raise `below`, or give more "
            f"held-out text."
        )
    tail = torch.zeros_like(panel.positions)
    tail[panel.positions] = torch.from_numpy(surprising)
    return tail


def contextual_retention(
    logprobs: Floats, start_logprobs: Floats, panel: Panel, *, below: float
) -> Estimate:
    """`retention` on the contextual tail.

    The positions are chosen by the starting model's own numbers, so those are too low there on
    average, and *any* other model of equal quality reads above 1. Compare with a run on fresh human
    text, not with 1.

    Args:
        logprobs: As in `retention`.
        start_logprobs: As in `retention`; they also choose the positions.
        panel: As in `retention`.
        below: As in `contextual_tail`.

    Raises:
        ArgumentError: As in `contextual_tail`.
        PanelError: As in `contextual_tail`.
    """
    tail = contextual_tail(start_logprobs, panel, below=below)
    return retention(logprobs, start_logprobs, panel, tail)


def contextual_reading(*, below: float = 0.01) -> ReadingKind:
    """What a monitor takes to read `contextual_retention`, as `contextual_tail_retention`.

    Of the start it keeps the number of each position of the contextual tail, and the summed
    log-probability of each document there.

    Args:
        below: As in `contextual_tail`.

    Raises:
        ArgumentError: A probability out of range.

    Example:
        >>> contextual_reading(below=0.01).name
        'contextual_tail_retention'
    """
    below = _checked_below(below)

    def keep_start(evidence: Evidence) -> dict[str, list[Any]]:
        logprobs, panel = evidence.whole.position_logprobs, evidence.panel
        tail = contextual_tail(logprobs, panel, below=below)
        sums, _ = by_document(logprobs, panel, tail)
        return {"positions": tail.flatten().nonzero().flatten().tolist(), "sums": sums.tolist()}

    def take(evidence: Evidence) -> Estimate:
        kept, panel = evidence.kept("contextual_tail_retention"), evidence.panel
        tail = torch.zeros(panel.positions.numel(), dtype=torch.bool)
        tail[kept["positions"]] = True
        tail = tail.reshape(panel.positions.shape)
        now, counts = by_document(evidence.whole.position_logprobs, panel, tail)
        return exponential(document_means(now - np.array(kept["sums"]), counts))

    return ReadingKind(
        "contextual_tail_retention",
        f"share of the start's probability that is left of tokens to which the start gave less "
        f"than {below:g}",
        take,
        on_log_scale=True,
        start="above 0",
        keep_start=keep_start,
    )


def _checked_below(below: float) -> float:
    return number("below", below, above=0, most=1, what="a probability", hint="try 0.01")
