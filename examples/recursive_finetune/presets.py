"""Stated configurations, and the command line."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

from transformers import HfArgumentParser

from collapse_guard.errors import bad_argument
from collapse_guard.examples.recursive_finetune.settings import Settings

_WIKITEXT_ON_A_GPU: dict[str, Any] = {
    "dataset": "Salesforce/wikitext",
    "dataset_config": "wikitext-2-raw-v1",
    "bf16": True,
    "panel_windows": 512,
    "panel_batch_size": 32,
    "rows": 2048,
    "batch_size": 32,
    "every_n_steps": 32,
    "sampling_batch_size": 256,
    "learning_rate": 1e-3,
    "lora_rank": 64,
}

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # Two CPU cores, no network: the default, and what `make demo` runs.
        "laptop": {},
        # Seconds; too small to show anything. For trying out changes of the code.
        "smoke": {
            "generations": 2,
            "window": 32,
            "panel_windows": 16,
            "vocab_size": 512,
            "hidden_size": 32,
            "num_layers": 1,
            "base_steps": 30,
            "rows": 16,
            "batch_size": 8,
            "passes": 1,
            "every_n_steps": 2,
            "lora_rank": 4,
            "learning_rate": 3e-2,
        },
        # Two CPU cores and no hub: what `make demo-real` runs, which names a pretrained model and a
        # file of WikiText-2 besides.
        "smollm2-wikitext2": {
            "generations": 2,
            "regimes": ["replace", "mixguard", "guarded"],
            "own_texts": 16,
            "window": 64,
            "panel_windows": 48,
            "rows": 64,
            "passes": 3,
            "learning_rate": 1e-3,
        },
        # One GPU and the hub. Not run so far: sizes and rates are guesses from the literature.
        "gpt2-wikitext2": {"model": "openai-community/gpt2", **_WIKITEXT_ON_A_GPU},
        # As above, with the model and the 64-token rows of Shumailov et al. 2024 (Nature 631:755).
        "opt125m-wikitext2": {"model": "facebook/opt-125m", **_WIKITEXT_ON_A_GPU, "window": 64},
    }
)


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """Read settings from the command line: a preset, and what is said on top of it.

    Args:
        arguments: The command line without the program's name; that of the process if None.

    Raises:
        ArgumentError: An unknown preset, or settings that cannot work.
        SystemExit: After `--help`, and for arguments that are unknown or of the wrong type.
    """
    parser = HfArgumentParser(
        Settings,  # type: ignore[arg-type]
        prog="python -m collapse_guard.examples.recursive_finetune",
        description="Fine-tune a language model on its own text, generation after generation, "
        "and watch what it forgets.",
        epilog=f"Presets: {', '.join(PRESETS)}.",
    )
    preset = parser.parse_known_args(arguments)[0].preset
    if preset not in PRESETS:
        raise bad_argument(
            "preset", expected=f"one of {', '.join(PRESETS)}", given=preset, hint="choose"
        )
    parser.set_defaults(**PRESETS[preset])
    (settings,) = parser.parse_args_into_dataclasses(arguments)
    return cast(Settings, settings)
