"""Random numbers that are drawn while a model is looked at, and whose they are."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch

from collapse_guard.random_states import changed_generators, generator_states, put_back

_LEFT_ALONE: WeakKeyDictionary[torch.nn.Module, set[str]] = WeakKeyDictionary()
"""Generators that nobody drew from in some look at a model."""
_DREW_FROM: WeakKeyDictionary[torch.nn.Module, set[str]] = WeakKeyDictionary()
"""Generators that a model drew from in a look, when there was no other thread that might have."""


@contextmanager
def draws_put_back(model: torch.nn.Module, *, is_look: bool) -> Iterator[None]:
    """Put the random states of the CPU back, so that what the model drew is drawn once more.

    All threads share those of Python, numpy and torch, and what another one draws meanwhile, such
    as one that prepares batches, must stay drawn: it would draw the same numbers again. Whose draws
    they were does not show. So what a model draws is found out where it is looked at by itself, and
    a generator that it is known to leave alone is put back in one case only: that there was no
    other thread.

    Args:
        model: What is called inside.
        is_look: Whether it is called as in any other look: in evaluation mode, and nothing else.
    """
    known = _LEFT_ALONE.get(model, set()) - _DREW_FROM.get(model, set()) if is_look else set()
    kept, was_alone, has_ended = generator_states(), threading.active_count() == 1, False
    try:
        yield
        has_ended = True
    finally:
        changed = changed_generators(kept)
        is_alone = was_alone and threading.active_count() == 1
        put_back(kept, changed if is_alone else changed - known)
        if is_look and has_ended:
            _LEFT_ALONE.setdefault(model, set()).update(kept.keys() - changed)
            if is_alone:
                _DREW_FROM.setdefault(model, set()).update(changed)
