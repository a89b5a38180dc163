"""Looking at a model without leaving a trace in it, or in the run that trains it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def undisturbed(model: torch.nn.Module) -> Iterator[None]:
    """Hold a model in evaluation mode without gradients, then put everything back.

    Put back, also when the block raises: the `.training` flag of every module one by one (a part
    that the user froze in evaluation mode stays so) and the random states of Python, numpy and
    torch, on the CPU and on the devices that the model is on.

    What a model does to its own weights in evaluation mode stays: RWKV scales deep layers down by
    powers of two, until its next forward pass in training mode (`rescale_every=0` forbids it).

    Args:
        model: The model that is looked at inside the block.
    """
    modes = [(module, module.training) for module in model.modules()]
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
        finally:
            for module, training in modes:
                module.training = training
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002
