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
        "groups",
        "human_reference",
        "length",
        "model",
        "num_texts",
        "pad_token_id",
        "start_logprobs",
        "start_model",
        "tokenizer",
        "window",
    }
)
"""The settings of all modules together: one word for one thing."""


def at_load(
    config_name: str | None, options: Mapping[str, Any], settings: Mapping[str, Collection[str]]
) -> tuple[Collection[str], dict[str, Any], dict[str, Any]]:
    """What a module was loaded with.

    Args:
        config_name: The configuration asked for; None for "default".
        options: What else the module was constructed with, by name.
        settings: Names of the module's settings, by configuration.

    Returns:
        Names of the settings of this configuration, those of them that were given, and what is for
        `evaluate` itself.

    Raises:
        ArgumentError: A configuration that the module does not have, or a name that neither knows,
            which `evaluate` would pass over in silence.
    """
    evaluate = require("evaluate", "evaluate")
    config_name = config_name or "default"
    if config_name not in settings:
        raise bad_argument(
            "config_name",
            expected=f"one of {sorted(settings)}",
            given=config_name,
            hint="leave it out for the default",
        )
    own = settings[config_name]
    of_framework = set(inspect.signature(evaluate.EvaluationModule).parameters)
    _refuse_unknown(options, {*own, *of_framework}, own)
    mine = {name: value for name, value in options.items() if name in own}
    return own, mine, {name: value for name, value in options.items() if name not in own}


def merge_settings(
    at_load: Mapping[str, Any], at_compute: Mapping[str, Any], own: Collection[str]
) -> dict[str, Any]:
    """What counts now: the settings given to `compute`, and those given at load for the rest.

    Settings of the sibling modules are passed over, because `evaluate.combine` gives every module
    the settings of all.

    Args:
        at_load: Those given at load.
        at_compute: What `compute` was given, by name.
        own: Names of the module's settings.

    Raises:
        ArgumentError: A name that none of the modules knows.
    """
    _refuse_unknown(at_compute, SETTINGS, own)
    return {**at_load, **{name: value for name, value in at_compute.items() if name in own}}


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
