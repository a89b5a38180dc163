"""What is watched: what `watch` has to know of a trainer or a loop, whatever its framework."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from collapse_guard.callbacks.one_call.sizes import Length, passes_of
from collapse_guard.callbacks.session import WatchSession
from collapse_guard.mixing.guard import MixGuard
from collapse_guard.mixing.mix_of import mix_of
from collapse_guard.mixing.stream import MixStream

Join = Callable[..., tuple[WatchSession, Any]]
"""Takes a monitor, and by name what a callback takes beside it; returns the session and the
callback."""


@dataclass(frozen=True)
class Target:
    """A run that is to be watched.

    Attributes:
        model: The language model; None where it is not known yet.
        trained: What `match_sampler` takes to match the model's loss: a trainer, a module, a model.
        tokenizer: Of the model; None where nothing says which it is.
        training: The data set that it trains on; None where nothing says which it is.
        counted: How long it is, of the mean number of tokens of a row; None where nobody knows.
        is_main: Whether this process is the one that tells.
        join: Makes the callback for a monitor, and has the run call it.
        callbacks: What the trainer calls, where `join` puts the callback; empty for a loop.
        folder: Says where the run writes to, once it goes on; None where nothing does.
        settings: Says what is trained with, by name, once the run goes on: numbers, flags, words.
    """

    model: torch.nn.Module | None
    trained: Any
    tokenizer: Any
    training: Any
    counted: Callable[[float], Length | None]
    is_main: bool
    join: Join
    callbacks: list[Any]
    folder: Callable[[], str | None] | None = None
    settings: Callable[[], Mapping[str, object]] = dict

    def length(self, mean_tokens: float) -> Length | None:
        """How long it is, of the mean number of tokens of a row; None where nobody knows."""
        counted = self.counted(mean_tokens)
        return None if counted is None else replace(counted, passes=passes_of(self.model))

    @property
    def mix(self) -> MixGuard | MixStream | None:
        """The mixed stream that it trains on; None where it trains on something else."""
        return mix_of(self.training)


def stated_length(
    steps: int | None, tokens_per_step: float | None
) -> Callable[[float], Length | None]:
    """Of a run of which the user says how long it is, or does not."""
    if steps is None or tokens_per_step is None:
        return lambda _: None
    return lambda _: Length(steps, tokens_per_step)
