"""Training a model for a while, and then having it as if nothing had been."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from collapse_guard.errors import bad_argument
from collapse_guard.random_states import random_states_kept


class ModelState:
    """A copy of all that training changes in a model: trained weights, and buffers.

    Frozen weights are not copied, as no optimizer is given them.

    Args:
        model: The model.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._weights = [(each, each.detach().clone()) for each in trained_parameters(model)]
        # By place, since a module may put another tensor into the place of a buffer.
        self._buffers = [
            (module, name, buffer, buffer.detach().clone())
            for module in model.modules()
            for name, buffer in module._buffers.items()
            if buffer is not None
        ]

    @property
    def num_bytes(self) -> int:
        """What the copy takes in memory."""
        buffers = [copy for *_, copy in self._buffers]
        copies = [copy for _, copy in self._weights] + buffers
        return sum(copy.numel() * copy.element_size() for copy in copies)

    def put_back(self) -> None:
        """Make the model what it was, bit for bit and with the same tensors."""
        with torch.no_grad():
            for parameter, copy in self._weights:
                parameter.copy_(copy)
            for module, name, buffer, copy in self._buffers:
                module._buffers[name] = buffer
                # One that is a view of a smaller one cannot be written to, and has not been.
                if not torch.equal(buffer, copy):
                    buffer.copy_(copy)
        # Under autocast, copies of weights in lower precision are kept from pass to pass.
        torch.clear_autocast_cache()


@contextmanager
def held(model: torch.nn.Module) -> Iterator[ModelState]:
    """Hold a model so that it may be trained, then put everything back.

    Put back, also when the block raises: trained weights and buffers, gradients (the very tensors),
    which parameters are trained, the hooks on their gradients, the `.training` flag of every module
    one by one, and the random states of Python, numpy and torch, on the CPU and on the devices that
    the model is on. Inside, no parameter has a gradient, and gradients are taken; a model in
    evaluation mode is put into training mode, as trainers do, and the modes of one that is in
    training mode are left as they are (a part that the user froze in evaluation mode stays so).

    Args:
        model: The model that is trained inside the block.

    Yields:
        The model's state.

    Raises:
        ArgumentError: Nothing of the model is trained, or it changes its own frozen weights when it
            is looked at.
    """
    _check(model)
    parameters = list(model.parameters())
    before = [(each, each.grad, each.requires_grad) for each in parameters]
    # Flags are set, and `train()` is not called, as in `undisturbed`.
    modes = [(module, module.training) for module in model.modules()]
    looks_on = not model.training
    start = ModelState(model)
    devices = sorted(cuda_devices(model), key=str)
    with random_states_kept(), torch.random.fork_rng(devices=devices), torch.enable_grad():
        try:
            for parameter in parameters:
                parameter.grad = None
            for module, training in modes:
                module.training = training or looks_on
            yield start
        finally:
            for module, training in modes:
                module.training = training
            for parameter, gradient, requires_grad in before:
                parameter.requires_grad = requires_grad
                parameter.grad = gradient
                # There were none, or `_check` would have refused them.
                (parameter._post_accumulate_grad_hooks or {}).clear()
            start.put_back()


def trained_parameters(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    """The parameters that an optimizer is to be given."""
    return [each for each in model.parameters() if each.requires_grad]


def cuda_devices(model: torch.nn.Module) -> set[torch.device]:
    """The CUDA devices that a model is on."""
    return {each.device for each in model.parameters() if each.is_cuda}


def _check(model: torch.nn.Module) -> None:
    if not trained_parameters(model):
        raise bad_argument(
            "model",
            expected="parameters that require gradients",
            given="none",
            hint="let those be trained that the run trains, as LoRA's adapters are",
        )
    hooked = [each for each in model.parameters() if each._post_accumulate_grad_hooks]
    if hooked:
        raise bad_argument(
            "model",
            expected="parameters without hooks on their gradients",
            given=f"{len(hooked)} with",
            hint="find the decoding before an optimizer that steps in the backward pass is made",
        )
    modules: Iterator[Any] = model.modules()
    rescaling = [each.config for each in modules if hasattr(each, "layers_are_rescaled")]
    if any(config.rescale_every > 0 for config in rescaling):
        raise bad_argument(
            "model",
            expected="a model that leaves its own weights alone in evaluation mode",
            given=f"rescale_every={rescaling[0].rescale_every}",
            hint="load RWKV with rescale_every=0",
        )
