"""The model under its adapters: a reference that costs no second model."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from collapse_guard.errors import bad_argument

_FROM_BASE_WEIGHTS = ("corda", "loftq", "lora_ga", "olora", "pissa")
"""Beginnings of LoRA's `init_lora_weights` that move a part of the base model into the adapters."""


@contextmanager
def without_adapters(model: torch.nn.Module) -> Iterator[None]:
    """Hold a model as it was before its adapters (PEFT) were put on, then put them back.

    Put back too is which parameters are trained: PEFT, when it switches adapters on again, makes
    every weight of the active ones trainable, those that the user had frozen as well.

    Args:
        model: A `PeftModel`, or a transformers model with adapters of its own (`add_adapter`), in
            any wrapper.

    Raises:
        ArgumentError: It has no adapters, or they are merged into its weights, or they changed the
            base model, by training its biases or by how they began, which switching them off does
            not undo.
    """
    switch, configs = _switch(model)
    if any(getattr(module, "merged_adapters", None) for module in model.modules()):
        raise bad_argument(
            "against_base",
            expected="adapters that can be switched off",
            given="adapters that are merged into the weights, which taking them out would round",
            hint="call unmerge_adapter() before the run, or leave out against_base",
        )
    for setting in map(_changes_base, configs.values()):
        if setting is not None:
            raise bad_argument(
                "against_base",
                expected="adapters that leave the weights of the base model alone",
                given=setting,
                hint="leave out against_base, or give the base model's `baseline`",
            )
    trained = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        with switch():
            yield
    finally:
        for parameter, requires_grad in trained:
            parameter.requires_grad = requires_grad


def _switch(model: torch.nn.Module) -> tuple[Any, dict[str, Any]]:
    for module in model.modules():
        configs = getattr(module, "peft_config", None)
        if not isinstance(configs, dict) or not configs:
            continue
        if callable(disable := getattr(module, "disable_adapter", None)):
            return disable, configs
        if callable(getattr(module, "disable_adapters", None)):
            return partial(_disabled, module), configs
    raise bad_argument(
        "against_base",
        expected="False, since the model has no adapters",
        given=True,
        hint="give `baseline`, the start of a monitor of the base model, to compare with that",
    )


def _changes_base(config: Any) -> str | None:
    """The setting by which adapters change the base model, where there is one."""
    bias, start = getattr(config, "bias", "none"), getattr(config, "init_lora_weights", True)
    if bias != "none":
        return f"bias={bias!r}"
    if isinstance(start, str) and start.startswith(_FROM_BASE_WEIGHTS):
        return f"init_lora_weights={start!r}"
    return None


@contextmanager
def _disabled(model: torch.nn.Module) -> Iterator[None]:
    # Layer by layer, since `model.enable_adapters()` of transformers does not switch fully trained
    # modules (`modules_to_save`) on again that `model.disable_adapters()` switched off. Layers tell
    # whether they are off; the model has a method of the same name.
    modules: Iterator[Any] = model.modules()
    on = [each for each in modules if getattr(each, "disable_adapters", None) is False]
    for layer in on:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in on:
            layer.enable_adapters(True)
