"""Labels that say, beside the token, how it was drawn: one tensor that every trainer lets through.

A trainer drops, pads, packs and accumulates columns in its own way; labels are what all of them
carry, position by position. So the number of a token's decoding stands in the label's upper bits.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.arguments import understood
from collapse_guard.errors import bad_argument
from collapse_guard.model.inputs import IGNORED_LABEL

BITS = 20
"""A label's lower bits, which hold the token: more than any vocabulary needs."""

_INTEGERS = (torch.int32, torch.int64)

_Labels = TypeVar("_Labels", torch.Tensor, npt.NDArray[np.int64])


def mark_labels(labels: _Labels, drawn_with: _Labels | int) -> _Labels:
    """Put the number of its decoding into each label.

    Args:
        labels: int64 of any shape, a tensor or an array: tokens below 2**20, or -100.
        drawn_with: Integers of a shape that broadcasts with it: 0 for tokens that nobody drew,
            and i for those drawn with the i-th decoding of a loss. A label of -100 stays so.

    Returns:
        int64 of the labels' shape. Labels of tokens that nobody drew are as they were.

    Raises:
        ArgumentError: A token of 2**20 or more, which may be marked already.

    Example:
        >>> marked = mark_labels(torch.tensor([-100, 7, 8]), torch.tensor([1, 0, 1]))
        >>> marked.tolist()
        [-100, 7, 1048584]
        >>> [part.tolist() for part in unmark_labels(marked)]
        [[-100, 7, 8], [0, 0, 1]]
    """
    with understood(
        "labels",
        labels,
        expected="int64 labels, a tensor or an array",
        hint="give what the loss takes",
    ):
        is_past = bool((labels >> BITS > 0).any())
    if is_past:
        raise bad_argument(
            "labels",
            expected=f"tokens below 2**{BITS}",
            given=int(labels.max()),
            hint="mark labels once only",
        )
    with understood(
        "drawn_with",
        drawn_with,
        expected="integers of a shape that broadcasts with that of `labels`",
        hint="give 0 for tokens that nobody drew, and i for those of the i-th decoding",
    ):
        marked: _Labels = labels + (labels != IGNORED_LABEL) * drawn_with * 2**BITS
    return marked


def unmark_labels(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Take marked labels apart.

    Args:
        labels: int64 of any shape, as `mark_labels` gives them.

    Returns:
        The labels themselves, and the number of each one's decoding; 0 where the label is -100.
    """
    if not isinstance(labels, torch.Tensor) or labels.dtype not in _INTEGERS:
        raise bad_argument(
            "labels",
            expected="a tensor of integers",
            given=labels,
            hint="give what mark_labels made, or torch.tensor(labels)",
        )
    drawn_with = labels.clamp_min(0) >> BITS
    return labels - (drawn_with << BITS), drawn_with


def are_marked(labels: torch.Tensor) -> bool:
    """Whether any label says that it was drawn."""
    return bool((labels >= 2**BITS).any())
