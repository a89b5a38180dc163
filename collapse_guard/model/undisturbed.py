"""Looking at a model without leaving a trace in it, or in the run that trains it."""

import math
import pickle
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch.nn.utils import parametrize

from collapse_guard.model.kept_state import kept_state

_ENOUGH = 3
"""Calls from the first one on that leave a generator alone, until a model is known to."""

_LEFT_ALONE: WeakKeyDictionary[torch.nn.Module, dict[str, dict[str, float]]] = WeakKeyDictionary()
"""How many calls of each kind left each generator alone; for ever too few once one has not."""


@contextmanager
def undisturbed(
    model: torch.nn.Module, *, evaluate: bool = True, call: str | None = "forward"
) -> Iterator[None]:
    """Hold a model in evaluation mode without gradients, then put everything back.

    Put back, also when the block raises: the `.training` flag of every module one by one (a part
    that the user froze in evaluation mode stays so), what modules keep beside their parameters
    (`kept_state`), whether parameters want gradients and which they have, and the random states of
    Python, numpy and torch, on the devices that the model is on and on the CPU, but for what other
    threads drew there (`_draws_put_back`). Casts of autocast and parametrizations that are cached
    meanwhile are not those of the training. Parameters that FSDP2 (`fully_shard`) gathered inside
    are let go of: an optimizer step would not reach what stays gathered, and the next training pass
    would compute with old weights.

    What a model does to its own weights in evaluation mode stays: RWKV scales deep layers down by
    powers of two, until its next forward pass in training mode (`rescale_every=0` forbids it).

    Args:
        model: The model that is looked at inside the block.
        evaluate: Set evaluation mode; False leaves modes as they are.
        call: How the model is called inside, such as "forward" or "sample", which tells its calls
            apart that draw random numbers from those that do not; None where something else is
            called too.
    """
    modes = [(module, module.training) for module in model.modules()]
    gradients = [(each, each.requires_grad, each.grad) for each in model.parameters()]
    sharded: list[Any] = [module for module, _ in modes if _is_sharded(module)]
    devices = {parameter.device for parameter in model.parameters() if parameter.is_cuda}
    on_devices = {device: torch.cuda.get_rng_state(device) for device in devices}
    # `torch.no_grad`, not `inference_mode`: caches that the model fills here (rotary tables, say)
    # are used by the next training step, and inference tensors may not enter a graph.
    with (
        _draws_put_back(model, call if evaluate else None),
        torch.no_grad(),
        kept_state(model),
        _nothing_cached(),
    ):
        try:
            for module, _ in modes:
                # Not `model.eval()`: a module may act on `train()` (merge weights, say), and what
                # it does then is not undone by setting a flag back.
                module.training = module.training and not evaluate
            yield
        except BaseException:
            _give_up_pass(sharded)
            raise
        finally:
            for module, training in modes:
                module.training = training
            for module in sharded:
                module.reshard()
            for parameter, wanted, gradient in gradients:
                if parameter.requires_grad != wanted:
                    parameter.requires_grad_(wanted)
                if parameter.grad is not gradient:
                    parameter.grad = gradient
            for device, state in on_devices.items():
                torch.cuda.set_rng_state(state, device)


@contextmanager
def _draws_put_back(model: torch.nn.Module, call: str | None) -> Iterator[None]:
    """Put the random states of the CPU back, so that what the model drew is drawn once more.

    All threads share those of Python, numpy and torch, and what another one draws meanwhile, such
    as one that prepares batches, must stay drawn: it would draw the same numbers again. Whose draws
    they were does not show. So a generator that nobody drew from in the first calls of a model is
    taken to be left alone by it, and is put back from then on in one case only: that there was no
    other thread. A model that was seen to draw, or may have been, has it put back for ever.
    """
    kept, was_alone, has_ended = _generator_states(), threading.active_count() == 1, False
    calls = {} if call is None else _LEFT_ALONE.setdefault(model, {}).setdefault(call, {})
    known = {name for name, count in calls.items() if count >= _ENOUGH}
    try:
        yield
        has_ended = True
    finally:
        now = _generator_states()
        changed = {name for name, state in kept.items() if not _is_same(state, now[name])}
        is_alone = was_alone and threading.active_count() == 1
        for name in changed if is_alone else changed - known:
            _SETTERS[name](kept[name])
        for name in kept if has_ended else ():
            if name not in changed:
                calls[name] = calls.get(name, 0.0) + 1.0
            elif is_alone or name not in known:
                calls[name] = -math.inf


_SETTERS: dict[str, Callable[[Any], object]] = {
    "python": random.setstate,
    "numpy": np.random.set_state,
    "torch": torch.set_rng_state,
}


def _generator_states() -> dict[str, Any]:
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(legacy=False),  # noqa: NPY002
        "torch": torch.get_rng_state(),
    }


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    # A dictionary with an array is equal to nothing.
    return pickle.dumps(one) == pickle.dumps(other)


@contextmanager
def _nothing_cached() -> Iterator[None]:
    """Keep apart what is computed without gradients from what the training would find cached."""
    casts, parametrized = torch.is_autocast_cache_enabled(), parametrize._cache
    torch.set_autocast_cache_enabled(False)
    parametrize._cache = {}
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(casts)
        parametrize._cache = parametrized


def _is_sharded(module: torch.nn.Module) -> bool:
    # `fully_shard` gives a module a class with these methods. The class is asked because a module
    # that is asked for what it lacks takes a microsecond to say so, and a model has thousands.
    return hasattr(type(module), "reshard") and hasattr(type(module), "unshard")


def _give_up_pass(sharded: Sequence[Any]) -> None:
    """Let FSDP2 forget a forward pass that failed half-way; without this the next one fails too."""
    inside: set[torch.nn.Module] = set()
    for module in sharded:
        # Only an outermost one may be asked; a module comes before those inside it.
        if module not in inside and hasattr(module, "reset_iter_state"):
            module.reset_iter_state()
        inside.update(module.modules())
