"""Somebody who sees everything that a monitor may not change, at every training pass."""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch

from collapse_guard.random_states import random_states


class Witness:
    """Stands before each training pass of a model, and writes down what goes in and how things are.

    Args:
        model: What is called with `input_ids`.
        at_passes: Whether to stand there; what is left at the end is seen in any case.
    """

    def __init__(self, model: torch.nn.Module, *, at_passes: bool = True) -> None:
        self._model = model
        self._passes: list[dict[str, Any]] = []
        if at_passes:
            model.register_forward_pre_hook(self._before, with_kwargs=True)

    def trace(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """What was seen, by what it is."""
        optimizer = getattr(optimizer, "optimizer", optimizer)
        end = self._state()
        return {
            "passes": len(self._passes),
            **{
                name: [*(each[name] for each in self._passes), end.get(name)]
                for name in ("data", *end)
            },
            "optimizer": digest(optimizer.state_dict()["state"]),
            "hooks": sorted(len(each._forward_hooks) for each in self._model.modules()),
        }

    def _before(self, module: torch.nn.Module, args: Any, kwargs: Mapping[str, Any]) -> None:
        # Looks and evaluations take no gradients.
        if torch.is_grad_enabled():
            self._passes.append({"data": kwargs["input_ids"].tolist(), **self._state()})

    def _state(self) -> dict[str, Any]:
        return {
            "weights": digest(self._model.state_dict()),
            "gradients": digest([parameter.grad for parameter in self._model.parameters()]),
            "random states": digest([random_states(), torch.cuda.get_rng_state_all()]),
            "modes": [module.training for module in self._model.modules()],
            "requires_grad": [each.requires_grad for each in self._model.parameters()],
        }


def differences(trace: Mapping[str, Any], untouched: Mapping[str, Any]) -> list[str]:
    """What a monitor has changed."""
    assert trace.keys() == untouched.keys()
    return [name for name in untouched if trace[name] != untouched[name]]


def digest(value: Any) -> str:
    """A name for a value, to the last bit of its tensors."""
    return hashlib.sha256(repr(_plain(value)).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        # As bytes, since numpy does not know bfloat16.
        plain = value.detach().cpu().contiguous().view(-1).view(torch.uint8)
        return tuple(value.shape), str(value.dtype), hashlib.sha256(plain.numpy()).hexdigest()
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
