"""The global random states, which are the user's: seen, and put back."""

import pickle
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def random_states() -> tuple[object, ...]:
    """The states of Python, numpy and torch on the CPU, to compare with."""
    return tuple(map(_as_told, generator_states().values()))


def generator_states() -> dict[str, Any]:
    """The states of the generators that all threads share, by name: "python", "numpy", "torch"."""
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(legacy=False),  # noqa: NPY002
        "torch": torch.get_rng_state(),
    }


def changed_generators(kept: Mapping[str, Any]) -> set[str]:
    """Names of those that were drawn from, or set, since their states were kept."""
    now = generator_states()
    return {name for name, state in kept.items() if _as_told(state) != _as_told(now[name])}


def put_back(kept: Mapping[str, Any], names: Iterable[str]) -> None:
    """Set generators to states that were kept.

    Args:
        kept: What `generator_states` gave.
        names: Of those to set.
    """
    setters: dict[str, Callable[[Any], object]] = {
        "python": random.setstate,
        "numpy": np.random.set_state,
        "torch": torch.set_rng_state,
    }
    for name in names:
        setters[name](kept[name])


@contextmanager
def random_states_kept() -> Iterator[None]:
    """Undo what code that does not conform does to the caller's random states."""
    kept = generator_states()
    try:
        yield
    finally:
        put_back(kept, kept)


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


def _as_told(state: Any) -> object:
    """A state as something that is equal to an equal one."""
    if isinstance(state, torch.Tensor):
        return state.numpy().tobytes()
    return pickle.dumps(state) if isinstance(state, dict) else state
