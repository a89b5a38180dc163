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

_BEAMS: dict[str, Any] = {
    "window": 128,
    "prompt": 64,
    "beams": 5,
    "lora_rank": 0,
    "regimes": ["human", "replace", "mix"],
    "human_fraction": 0.1,
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
        # The same paper's own experiment, as far as it is told: 64 tokens of human text, 64 found
        # after them by 5 beams, all weights trained, 0% and 10% human rows. Not run so far.
        "opt125m-shumailov2024": {
            **_WIKITEXT_ON_A_GPU,
            **_BEAMS,
            "model": "facebook/opt-125m",
            "learning_rate": 2e-5,
            "rows": 16384,
            "passes": 5,
            "every_n_steps": 256,
            "generations": 9,
        },
        # The same, scaled down to two CPU cores and no hub; give --model and --dataset. Fewer
        # updates, so larger ones.
        "smollm2-shumailov2024": {
            **_BEAMS,
            "window": 64,
            "prompt": 32,
            "own_texts": 16,
            "panel_windows": 48,
            "rows": 48,
            "passes": 3,
            "learning_rate": 1e-4,
            "generations": 2,
        },
        # Gerstgrasser et al. 2024 (arXiv 2404.01413): models of 9 million weights, each trained
        # from scratch on stories. A Llama in place of their GPT-2. Not run so far.
        "tinystories-gerstgrasser2024": {
            "dataset": "roneneldan/TinyStories",
            "regimes": ["replace", "accumulate", "accumulate_subsample"],
            "generations": 4,
            "bf16": True,
            "vocab_size": 4096,
            "hidden_size": 320,
            "num_layers": 6,
            "window": 256,
            # One step, so that every generation starts from nothing.
            "base_steps": 1,
            "continue_from": "base",
            "lora_rank": 0,
            "learning_rate": 1e-3,
            "temperature": 1.0,
            "rows": 262144,
            "passes": 1,
            "batch_size": 64,
            "every_n_steps": 512,
            "panel_windows": 512,
            "panel_batch_size": 32,
            "sampling_batch_size": 256,
        },
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
