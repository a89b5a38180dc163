"""The sampler-matched loss, where a recipe says how its rows were drawn."""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from collapse_guard.integrations.matching.match_sampler import match_sampler

if TYPE_CHECKING:
    from collapse_guard.examples.recursive_finetune.regimes.regime import Training


def matched_loss(training: "Training") -> AbstractContextManager[object]:
    """As of `Regime.loss`: nothing where no source of the mix has a decoding."""
    mix, held_out = training.mix, training.lesson.held_out
    if all(source.decoding is None for source in mix.sources):
        return nullcontext()
    rows = None if held_out is None else list(held_out)
    return match_sampler(training.trainer, mix, held_out=rows)
