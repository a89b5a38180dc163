"""Looking at a model without leaving a trace in it, or in the run that trains it."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def undisturbed(model: torch.nn.Module) -> Iterator[None]:
    """Hold a model in evaluation mode without gradients, then put everything back.

    Put back, also when the block raises: the `.training` flag of every module one by one (a part
    that the user froze in evaluation mode stays so) and the random states of Python, numpy and
    torch, on the CPU and on the devices that the model is on. Parameters that FSDP2 (`fully_shard`)
    gathered inside are let go of: an optimizer step would not reach what stays gathered, and the
    next training pass would compute with old weights.

    What a model does to its own weights in evaluation mode stays: RWKV scales deep layers down by
    powers of two, until its next forward pass in training mode (`rescale_every=0` forbids it).

    Args:
        model: The model that is looked at inside the block.
    """
    modes = [(module, module.training) for module in model.modules()]
    sharded: list[Any] = [module for module, _ in modes if _is_sharded(module)]
    devices = {parameter.device for parameter in model.parameters() if parameter.is_cuda}
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    # `torch.no_grad`, not `inference_mode`: caches that the model fills here (rotary tables, say)
    # are used by the next training step, and inference tensors may not enter a graph.
    with torch.random.fork_rng(devices=sorted(devices, key=str)), torch.no_grad():
        try:
            for module, _ in modes:
                # Not `model.eval()`: a module may act on `train()` (merge weights, say), and what
                # it does then is not undone by setting a flag back.
                module.training = False
            yield
        except BaseException:
            _give_up_pass(sharded)
            raise
        finally:
            for module, training in modes:
                module.training = training
            for module in sharded:
                module.reshard()
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002


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
