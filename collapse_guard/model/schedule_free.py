"""Looking at the weights that a schedule-free optimizer is after, not at those that it steps."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from collapse_guard.distributed import all_or_none

_WRAPPERS = 16
"""More than anyone puts around an optimizer."""


@contextmanager
def averaged_weights(optimizer: object) -> Iterator[None]:
    """Hold the averaged weights in the model, then put back those that are trained.

    A schedule-free optimizer (Defazio et al., 2024, "The Road Less Scheduled") takes its gradients
    at a point between a fast iterate and the average of all of those; the average is the model that
    it trains. Its `eval()` moves the weights there, and its `train()` moves them back but for
    rounding. Here they come back to the bit, from a copy that is kept meanwhile.

    Args:
        optimizer: As made by hand, or in a wrapper of accelerate's or Lightning's. None, any other
            kind, and a schedule-free one that is in evaluation mode already, are left alone.
    """
    schedule_free = _unwrapped(optimizer)
    if not is_schedule_free(schedule_free) or not _is_training(schedule_free):
        yield
        return
    parameters = [each for group in schedule_free.param_groups for each in group["params"]]
    copies: list[torch.Tensor] = []
    try:
        # The copies may be too much for the memory of one process alone.
        with all_or_none():
            copies.extend([parameter.detach().clone() for parameter in parameters])
            schedule_free.eval()
        yield
    finally:
        schedule_free.train()
        with torch.no_grad():
            # None where they could not be made, and nothing was moved.
            for parameter, copy in zip(parameters, copies, strict=bool(copies)):
                parameter.copy_(copy)


def is_schedule_free(optimizer: object) -> bool:
    """Whether the optimizer, in whatever wrapper, keeps averaged weights beside the trained ones.

    Example:
        >>> is_schedule_free(torch.optim.SGD([torch.zeros(1)]))
        False
    """
    optimizer = _unwrapped(optimizer)
    switches = (getattr(optimizer, "eval", None), getattr(optimizer, "train", None))
    return all(map(callable, switches)) and _is_training(optimizer) is not None


def _is_training(optimizer: Any) -> bool | None:
    """The mode of a schedule-free optimizer; None where there is no such thing as a mode."""
    groups = getattr(optimizer, "param_groups", None)
    # What is no optimizer has no mode either; training says so itself.
    for holder in (
        *(groups if isinstance(groups, list) else ()),
        getattr(optimizer, "__dict__", {}),
    ):
        if "train_mode" in holder:
            return bool(holder["train_mode"])
    return None


def _unwrapped(optimizer: Any) -> Any:
    for _ in range(_WRAPPERS):
        if (inner := getattr(optimizer, "optimizer", None)) is None:
            break
        optimizer = inner
    return optimizer
