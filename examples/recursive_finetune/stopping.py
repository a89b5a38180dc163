"""When the alarm went off in a chain, and when early stopping would have ended it.

Early stopping is given what it can best have: the loss on held-out human text, of the same looks as
the alarm, the start's among them, and a best that is kept from one generation to the next.
"""

from collections.abc import Iterator, Sequence

from collapse_guard.examples.recursive_finetune.results import GenerationResult, LookResult


def first_alarm(chain: Sequence[GenerationResult]) -> int | None:
    """Training steps from the chain's start to its first alarm; None where there is none."""
    for before, result in _with_steps(chain):
        if result.alerts:
            return before + result.alerts[0].step
    return None


def early_stop(chain: Sequence[GenerationResult], *, patience: int) -> int | None:
    """Training steps from the chain's start to where early stopping ends it; None if nowhere.

    Args:
        chain: Results of a chain, the start first.
        patience: Looks in a row without a new best loss, at least 1.
    """
    best, waited = float("inf"), 0
    for step, look in _looks(chain):
        waited = 0 if look.loss < best else waited + 1
        best = min(best, look.loss)
        if waited >= patience:
            return step
    return None


def quiet_patience(control: Sequence[GenerationResult]) -> int:
    """The smallest patience with which early stopping lets a chain go on to its end."""
    patience = 1
    while early_stop(control, patience=patience) is not None:
        patience += 1
    return patience


def _looks(chain: Sequence[GenerationResult]) -> Iterator[tuple[int, LookResult]]:
    for before, result in _with_steps(chain):
        for look in result.looks:
            # A later generation begins with the model that the last one ended with.
            if look.step or not before:
                yield before + look.step, look


def _with_steps(
    chain: Sequence[GenerationResult],
) -> Iterator[tuple[int, GenerationResult]]:
    """Each generation after the start, with the training steps of those before it."""
    before = 0
    for result in chain[1:]:
        yield before, result
        before += result.looks[-1].step if result.looks else 0
