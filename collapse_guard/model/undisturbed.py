"""Looking at a model without leaving a trace in it, or in the run that trains it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.utils import parametrize

from collapse_guard.model.draws import draws_put_back
from collapse_guard.model.kept_state import kept_state


@contextmanager
def undisturbed(
    model: torch.nn.Module, *, evaluate: bool = True, alone: bool = True
) -> Iterator[None]:
    """Hold a model in evaluation mode without gradients, then put everything back.

    Put back, also when the block raises: the `.training` flag of every module one by one (a part
    that the user froze in evaluation mode stays so), what modules keep beside their parameters
    (`kept_state`), whether parameters want gradients and which they have, and the random states of
    Python, numpy and torch, on the devices that the model is on and on the CPU, but for what other
    threads drew there (`draws_put_back`). Casts of autocast and parametrizations that are cached
    meanwhile are not those of the training. Parameters that FSDP2 (`fully_shard`) gathered inside
    are let go of: an optimizer step would not reach what stays gathered, and the next training pass
    would compute with old weights.

    What a model does to its own weights in evaluation mode stays: RWKV scales deep layers down by
    powers of two, until its next forward pass in training mode (`rescale_every=0` forbids it).

    Args:
        model: The model that is looked at inside the block.
        evaluate: Set evaluation mode; False leaves modes as they are.
        alone: Whether nothing but the model is called inside.
    """
    modes = [(module, module.training) for module in model.modules()]
    gradients = [(each, each.requires_grad, each.grad) for each in model.parameters()]
    sharded: list[Any] = [module for module, _ in modes if _is_sharded(module)]
    devices = {parameter.device for parameter in model.parameters() if parameter.is_cuda}
    on_devices = {device: torch.cuda.get_rng_state(device) for device in devices}
    # `torch.no_grad`, not `inference_mode`: caches that the model fills here (rotary tables, say)
    # are used by the next training step, and inference tensors may not enter a graph.
    with (
        draws_put_back(model, is_look=evaluate and alone),
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
