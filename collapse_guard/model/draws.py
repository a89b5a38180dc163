"""Random numbers that are drawn while a model is looked at, and whose they are."""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch

from collapse_guard.random_states import changed_generators, generator_states, put_back

_ENOUGH = 3
"""Looks from the first one on that leave a generator alone, until the model is known to."""

_LEFT_ALONE: WeakKeyDictionary[torch.nn.Module, dict[str, float]] = WeakKeyDictionary()
"""How many looks at each model left each generator alone; for ever too few once one has not."""


@contextmanager
def draws_put_back(model: torch.nn.Module, *, is_look: bool) -> Iterator[None]:
    """Put the random states of the CPU back, so that what the model drew is drawn once more.

    All threads share those of Python, numpy and torch, and what another one draws meanwhile, such
    as one that prepares batches, must stay drawn: it would draw the same numbers again. Whose draws
    they were does not show. So a generator that nobody drew from in the first looks at a model is
    taken to be left alone by it, and is put back from then on in one case only: that there was no
    other thread. A model that was seen to draw, or may have been, has it put back for ever.

    Args:
        model: What is called inside.
        is_look: Whether it is called as in any other look: in evaluation mode, and nothing else.
    """
    kept, was_alone, has_ended = generator_states(), threading.active_count() == 1, False
    looks = _LEFT_ALONE.setdefault(model, dict.fromkeys(kept, 0.0)) if is_look else {}
    known = {name for name, count in looks.items() if count >= _ENOUGH}
    try:
        yield
        has_ended = True
    finally:
        changed = changed_generators(kept)
        is_alone = was_alone and threading.active_count() == 1
        put_back(kept, changed if is_alone else changed - known)
        if is_look and has_ended:
            for name in kept:
                if name not in changed:
                    looks[name] += 1
                elif is_alone or name not in known:
                    looks[name] = -math.inf
