"""How a run that is watched was set up, in words: what a reader of its page asks first."""

import platform
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from collapse_guard import __version__
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.monitor.pace import Budget, EveryNSteps
from collapse_guard.readings.sampling import Sampling
from collapse_guard.run_records.record import Configuration

_PACKAGES = (
    *("torch", "transformers", "tokenizers", "trl", "peft", "accelerate", "datasets"),
    *("lightning", "pytorch_lightning", "deepspeed", "bitsandbytes", "schedulefree", "numpy"),
)
"""Whose versions are told, where they are in use: what training goes by."""

_LONGEST = 100


def configuration_of(
    model: torch.nn.Module | None,
    panel: HeldOutPanel,
    where: str,
    *,
    sampling: Sampling | None,
    pace: object,
    on_alert: object,
    training: Callable[[], Mapping[str, object]],
) -> Callable[[], Configuration]:
    """Says how a run is set up, once it goes on.

    Settings are named one by one: nothing of the environment, and no path, address or token can
    come among them.

    Args:
        model: The language model, which is counted now; None where it is not known.
        panel: What is looked at.
        where: In what its reference was counted, in words.
        sampling: How much the model writes.
        pace: How often it is looked at.
        on_alert: What an alert does.
        training: Says what is trained with, by name: numbers, flags and words.

    Returns:
        A function that says it, in words by name, in groups.
    """
    watched = {
        "panel": f"{_sizes(panel)}; fingerprint {panel.fingerprint}",
        "rare tokens": f"{panel.reference.band_mass['tail']:.0%} of {where} "
        f"({panel.reference.num_tokens:,} tokens)",
        "pace": repr(pace) if isinstance(pace, Budget | EveryNSteps) else type(pace).__name__,
        "writing": "nothing" if sampling is None else _writing(sampling),
        "an alert": on_alert if isinstance(on_alert, str) else "calls a function",
    }
    known = {} if model is None else _of_model(model)

    def configuration() -> Configuration:
        groups = {
            "watching": watched,
            "model": known,
            "training": told_settings(training()),
            "packages": _versions(),
        }
        return {name: group for name, group in groups.items() if group}

    return configuration


def told_settings(settings: Mapping[str, object]) -> dict[str, str]:
    """Settings in words: those that are numbers, flags or short texts, or several of them.

    Example:
        >>> told_settings({"learning_rate": 2e-5, "max_steps": 400, "bf16": True, "run": object()})
        {'learning rate': '2e-05', 'max steps': '400', 'bf16': 'yes'}
    """
    told = ((name, _told(value)) for name, value in settings.items())
    return {name.replace("_", " "): value for name, value in told if value}


def _told(value: object) -> str:
    """Nothing where it is none of these."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}..."
    if isinstance(value, list | tuple):
        return ", ".join(dict.fromkeys(filter(None, map(_told, value))))
    return ""


def _sizes(panel: HeldOutPanel) -> str:
    windows, tokens = panel.input_ids.shape
    return f"{windows} windows of {tokens} tokens, of {panel.num_documents} documents"


def _writing(sampling: Sampling) -> str:
    return (
        f"{sampling.num_free} texts from nothing and {sampling.samples_per_prompt} after each of "
        f"{sampling.num_prompts} prompts, of {sampling.length} tokens, drawn with "
        f"{sampling.decoding}, seed {sampling.seed}"
    )


def _of_model(model: torch.nn.Module) -> dict[str, str]:
    known = [each for each in model.parameters() if not is_lazy(each)]
    trained = [each for each in known if each.requires_grad]
    kinds: Iterable[Any] = dict.fromkeys(each.dtype for each in known)
    return {
        "class": type(model).__name__,
        "parameters": f"{sum(each.numel() for each in known):,}",
        "trained": f"{sum(each.numel() for each in trained):,}",
        "dtype": ", ".join(str(kind).removeprefix("torch.") for kind in kinds),
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "collapse_guard": __version__}
    for name in _PACKAGES:
        if name in sys.modules:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                continue
    return found
