"""The global random states, which are the user's: seen, and put back."""

import pickle
import random
from collections.abc import Iterable, Iterator
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


def seed_random_states(seed: int, devices: Iterable[torch.device] = ()) -> None:
    """Set the states of Python, numpy and torch, inside of a block that puts them back.

    Args:
        seed: From 0 to 2**32 - 1; the same seed gives the same states.
        devices: CUDA devices whose states are set too.
    """
    random.setstate(random.Random(seed).getstate())
    np.random.set_state(np.random.RandomState(seed).get_state())  # noqa: NPY002
    torch.set_rng_state(torch.Generator().manual_seed(seed).get_state())
    for device in devices:
        torch.cuda.set_rng_state(torch.Generator(device).manual_seed(seed).get_state(), device)
