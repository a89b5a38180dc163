"""Frequency bands of a vocabulary: head, torso and tail, cut by count so that ties never split."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import number
from collapse_guard.errors import bad_argument

_SHARE = "a share of tokens"

BANDS = ("head", "torso", "tail")


@dataclass(frozen=True)
class BandCutoffs:
    """Counts at which a vocabulary is cut into bands.

    Attributes:
        tail: Types with this count or less are the tail; 0 means that only unseen types are.
        head: Types with this count or more are the head. Always more than `tail`.
    """

    tail: int
    head: int


def band_cutoffs(
    counts: npt.NDArray[np.int64], *, tail_mass: float = 0.10, head_mass: float = 0.50
) -> BandCutoffs:
    """Cut a vocabulary into bands by count.

    The *tail* is every type with a count of at most c*, the largest count whose types together
    hold at most `tail_mass` of the tokens, and every unseen type. The *head* is the smallest set
    of commonest types, whole counts at a time, that holds at least `head_mass` of them.

    Args:
        counts: int64 of shape (vocabulary,), how often each type occurs.
        tail_mass: Largest share of all tokens that the tail may hold, in (0, 0.5).
        head_mass: Smallest share of all tokens that the head must hold, in (0, 0.5].

    Returns:
        The two cut-offs.

    Raises:
        ArgumentError: A mass out of range, or no token counted at all.

    Example:
        >>> band_cutoffs(np.array([60, 25, 9, 3, 3, 0]))
        BandCutoffs(tail=3, head=60)
    """
    hint = "0.10 is the default; a tail of half the text would meet the head"
    number("tail_mass", tail_mass, above=0, below=0.5, what=_SHARE, hint=hint)
    hint = "0.5 is the default"
    number("head_mass", head_mass, above=0, most=0.5, what=_SHARE, hint=hint)
    total = int(counts.sum())
    if total == 0:
        raise bad_argument(
            "counts", expected="at least one token", given=total, hint="give it human text"
        )
    levels, types_at_level = np.unique(counts[counts > 0], return_counts=True)
    tokens_up_to = np.cumsum(levels * types_at_level)
    tokens_from = total - tokens_up_to + levels * types_at_level
    within_tail = levels[tokens_up_to <= tail_mass * total]
    enough_for_head = levels[tokens_from >= head_mass * total]
    return BandCutoffs(
        tail=int(within_tail.max(initial=0)),
        head=int(enough_for_head.max()),
    )
