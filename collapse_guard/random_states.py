"""The global random states, which are the user's: seen, and put back."""

import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def random_states() -> tuple[object, ...]:
    """The states of Python, numpy and torch on the CPU, to compare with."""
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002 - to see that it is left alone
    return random.getstate(), pickle.dumps(numpy_state), torch.get_rng_state().numpy().tobytes()


@contextmanager
def random_states_kept() -> Iterator[None]:
    """Undo what code that does not conform does to the caller's random states."""
    python, tensors = random.getstate(), torch.get_rng_state()
    arrays = np.random.get_state(legacy=False)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        torch.set_rng_state(tensors)
        np.random.set_state(arrays)  # noqa: NPY002
