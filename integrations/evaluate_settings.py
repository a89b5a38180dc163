"""Settings of the `evaluate` modules: given at load, at compute, or both.

At load is what `evaluate.combine` with modules of other authors needs, since it hands every module
whatever `compute` is given. At compute is what most users of `evaluate` know.
"""

import inspect
from collections.abc import Collection, Mapping
from typing import Any

from collapse_guard.errors import bad_argument
from collapse_guard.extras import require

SETTINGS = frozenset(
    {
        "batch_size",
        "budget",
        "human_reference",
        "length",
        "model",
        "num_texts",
        "start_logprobs",
        "start_model",
        "tokenizer",
        "window",
    }
)
"""The settings of all modules together: one word for one thing."""


def split_settings(
    options: Mapping[str, Any], own: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A module's own settings, and what is for `evaluate` itself.

    Args:
        options: What the module was constructed with, by name.
        own: Names of the module's settings.

    Raises:
        ArgumentError: A name that neither knows, which `evaluate` would pass over in silence.
    """
    evaluate = require("evaluate", "evaluate")
    of_framework = set(inspect.signature(evaluate.EvaluationModule).parameters)
    _refuse_unknown(options, {*own, *of_framework}, own)
    settings = {name: value for name, value in options.items() if name in own}
    return settings, {name: value for name, value in options.items() if name not in own}


def merge_settings(
    at_load: Mapping[str, Any], at_compute: Mapping[str, Any], own: Collection[str]
) -> dict[str, Any]:
    """What counts now: the settings given to `compute`, and those given at load for the rest.

    Settings of the sibling modules are passed over, because `evaluate.combine` gives every module
    the settings of all.

    Args:
        at_load: Of `split_settings`.
        at_compute: What `compute` was given, by name.
        own: Names of the module's settings.

    Raises:
        ArgumentError: A name that none of the modules knows.
    """
    _refuse_unknown(at_compute, SETTINGS, own)
    return {**at_load, **{name: value for name, value in at_compute.items() if name in own}}


def check_config(config_name: str, known: Collection[str]) -> None:
    """Refuse a configuration that a module does not have.

    Raises:
        ArgumentError: It is not one of `known`.
    """
    if config_name not in known:
        raise bad_argument(
            "config_name",
            expected=f"one of {sorted(known)}",
            given=config_name,
            hint="leave it out for the default",
        )


def _refuse_unknown(
    options: Mapping[str, Any], known: Collection[str], own: Collection[str]
) -> None:
    for name in options:
        if name not in known:
            raise bad_argument(
                name,
                expected="to be a setting of the module",
                given=options[name],
                hint=f"choose from {', '.join(sorted(own))}",
            )
