"""From sums over human rows that were read off the training to readings."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from collapse_guard.statistics.block_sums import influences
from collapse_guard.statistics.estimates import Estimate, difference, exponential

Floats = npt.NDArray[np.float64]

BANDS = ("all", "tail", "head", "tail_prob")
"""What there are sums of, in their order."""

READ_ALONG = (
    "perplexity",
    "tail_logprob",
    "head_logprob",
    "tail_prob",
    "tail_retention",
    "head_retention",
    "tail_gap",
)
"""Readings of human text that can be read off training passes, where their names end in
`_prequential`."""


def read_along(
    now: Sequence[Estimate], start: Sequence[Estimate], now_blocks: Floats, start_blocks: Floats
) -> dict[str, Estimate]:
    """Those of `READ_ALONG`, with `_prequential` after each name.

    Their `influences` are of blocks of rows and up to a factor: they tell how alike looks are.

    Args:
        now: A mean of each of `BANDS`.
        start: The same of the first rows.
        now_blocks: The sums of `BlockSums` of the same rows.
        start_blocks: The same of the first rows.
    """
    all_now, tail_now, head_now, prob_now = now
    _, tail_start, head_start, _ = start
    tail, head = difference(tail_now, tail_start), difference(head_now, head_start)
    of_all, of_tail, of_head, of_prob = influences(now_blocks, now)
    _, of_tail_start, of_head_start, _ = influences(start_blocks, start)
    tail_moved, head_moved = of_tail - of_tail_start, of_head - of_head_start
    told = (
        (exponential(all_now._replace(value=-all_now.value)), of_all),
        (tail_now, of_tail),
        (head_now, of_head),
        (prob_now, of_prob),
        (exponential(tail), tail_moved),
        (exponential(head), head_moved),
        (difference(head, tail), head_moved - tail_moved),
    )
    return {
        f"{name}_prequential": estimate._replace(influences=blocks)
        for name, (estimate, blocks) in zip(READ_ALONG, told, strict=True)
    }
