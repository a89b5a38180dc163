"""Everything that can be set about a run, in one place."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from typing import Any

from collapse_guard.errors import bad_argument
from collapse_guard.examples.recursive_finetune.regimes.registry import HEADLINE, REGIMES
from collapse_guard.extras import require
from collapse_guard.model.decoding import Decoding

# What may differ between a run and its continuation in the same folder.
_NOT_PART_OF_THE_EXPERIMENT = {
    "preset",
    "output_dir",
    "regimes",
    "generations",
    "device_batch_size",
}

TRAINERS = ("hf", "sft")
STARTS = ("last", "first", "base")
_SHORTEST_ANSWER = 8


def option(default: Any, help: str) -> Any:
    """A field of `Settings` with the help text that the command line shows."""
    # argparse formats help texts with %.
    return field(default=default, metadata={"help": help.replace("%", "%%")})


@dataclass(frozen=True)
class Settings:
    """A run of the example.

    Raises:
        ArgumentError: At construction, for values that cannot work.
        MissingExtraError: TRL is to train, and is not installed.
    """

    preset: str = option("laptop", "name of the stated configuration that the rest starts from")
    output_dir: str = option(
        "runs/recursive_finetune",
        "folder for results, figure and report; a run that was killed goes on from here",
    )
    seed: int = option(0, "of every random choice")
    regimes: list[str] = field(
        default_factory=lambda: list(HEADLINE),
        metadata={"help": f"what the generations train on: any of {', '.join(REGIMES)}"},
    )
    generations: int = option(
        5, "fine-tunings in a row after the first, which is on human text in every regime"
    )

    dataset: str | None = option(
        None,
        "human text: a text file (blank lines between documents, or WikiText as it is published), "
        "or the name or path of a Hugging Face data set; Python's own documentation where left out",
    )
    dataset_config: str | None = option(None, "configuration of the Hugging Face data set")
    text_column: str = option("text", "column of the Hugging Face data set that holds the text")
    window: int = option(128, "tokens of a row, human or synthetic, and of a held-out window")
    panel_windows: int = option(128, "held-out windows that the models are looked at on, at most")

    model: str | None = option(
        None,
        "causal language model to start from, a hub name or a path; where left out, a small one "
        "is trained on part of the human text",
    )
    vocab_size: int = option(2048, "of the small model's tokenizer")
    hidden_size: int = option(128, "of the small model")
    num_layers: int = option(2, "of the small model")
    base_steps: int = option(500, "training steps of the small model before any fine-tuning")
    base_batch_size: int = option(16, "rows in each of them")
    base_learning_rate: float = option(2e-3, "of them, at its peak")

    rows: int = option(192, "rows that a generation writes, and human rows that it could train on")
    temperature: float = option(0.8, "at which it writes")
    top_k: int | None = option(None, "write with the k likeliest tokens only")
    top_p: float | None = option(None, "write with the likeliest tokens of this total probability")
    min_p: float | None = option(
        None, "write with tokens of at least this share of the likeliest one's probability only"
    )
    sampling_batch_size: int = option(64, "rows written at once")
    beams: int = option(
        1,
        "write what is likeliest by a beam search of this width, in place of drawing; with "
        "--prompt, or all rows would be alike",
    )
    prompt: int = option(
        0,
        "tokens of a human row that stand before what a generation writes; the loss is on what "
        "follows them alone, in human rows too (0: it writes by itself, and whole rows count)",
    )
    own_texts: int = option(
        64, "texts that each generation writes besides, for readings of its own writing"
    )

    trainer: str = option(
        "hf",
        "what fine-tunes: hf, the Hugging Face Trainer, or sft, TRL's SFTTrainer, which needs trl",
    )
    passes: int = option(2, "a generation trains on passes x rows rows, in every regime")
    batch_size: int = option(16, "rows of a training step, over all devices")
    device_batch_size: int | None = option(
        None, "rows on a device at once; the rest is accumulated (None: no accumulation)"
    )
    learning_rate: float = option(2e-3, "of the fine-tuning, falling linearly to 0")
    lora_rank: int = option(
        16, "of the adapters, on all linear layers; 0 trains all weights, without adapters"
    )
    continue_from: str = option(
        "last",
        "what each generation fine-tunes: last, the last generation's model; first, generation 0 "
        "anew; base, the model before any fine-tuning",
    )
    human_fraction: float = option(0.3, "floor of human rows in the regimes that have one")
    rare_boost: float = option(
        4.0,
        "how much more often mixguard and guarded show the rarest human rows than the commonest, "
        "and how much more rare tokens weigh in rare_weighted",
    )
    recover_after: int = option(2, "generations on its own text before human text in recover")
    edit_above: float = option(0.5, "probability from which a token is drawn anew in edited")
    truncate_above: float = option(0.9, "probability above which truncated_ce has no loss")
    anchor: float = option(
        1.0, "weight in anchored of the divergence from generation 0, in the loss of a human token"
    )

    every_n_steps: int = option(4, "training steps between two looks of the callback")
    panel_batch_size: int = option(16, "held-out windows looked at at once")
    bf16: bool = option(False, "compute in bfloat16 where it is safe to (GPU)")
    cpu: bool = option(False, "leave the GPU alone")

    def __post_init__(self) -> None:
        unknown = [name for name in self.regimes if name not in REGIMES]
        if unknown or not self.regimes:
            raise bad_argument(
                "regimes",
                expected=f"any of {', '.join(REGIMES)}",
                given=self.regimes,
                hint="name one or more",
            )
        for name, allowed in (("trainer", TRAINERS), ("continue_from", STARTS)):
            if getattr(self, name) not in allowed:
                raise bad_argument(
                    name,
                    expected=f"one of {', '.join(allowed)}",
                    given=getattr(self, name),
                    hint="choose",
                )
        if self.trainer == "sft":
            require("trl", "dev")
            own = [name for name in self.regimes if REGIMES[name].has_own_loss]
            if own:
                raise bad_argument(
                    "trainer",
                    expected=f"hf for {', '.join(own)}, whose losses need all logits",
                    given=self.trainer,
                    hint="leave --trainer out, or these regimes",
                )
        at_least_1 = (
            "generations window panel_windows vocab_size hidden_size num_layers base_steps "
            "base_batch_size rows sampling_batch_size passes batch_size every_n_steps "
            "panel_batch_size own_texts beams"
        )
        at_least_0 = "lora_rank anchor edit_above truncate_above recover_after"
        least = dict.fromkeys(at_least_1.split(), 1) | dict.fromkeys(at_least_0.split(), 0)
        for name, value in least.items():
            if getattr(self, name) < value:
                raise bad_argument(
                    name, expected=f"at least {value}", given=getattr(self, name), hint="see --help"
                )
        if self.passes * self.rows % self.batch_size:
            raise bad_argument(
                "rows",
                expected=f"passes x rows to be a multiple of the batch size {self.batch_size}",
                given=f"{self.passes} x {self.rows}",
                hint="every regime must train on exactly as many tokens",
            )
        if not 0 <= self.prompt <= self.window - _SHORTEST_ANSWER:
            raise bad_argument(
                "prompt",
                expected=f"0, or a prompt that leaves at least {_SHORTEST_ANSWER} of the window's "
                f"{self.window} tokens",
                given=self.prompt,
                hint="shorten it, or widen --window",
            )
        self._check_beams()
        _ = self.decoding  # so that a wrong one is told before anything is trained

    def _check_beams(self) -> None:
        if self.beams == 1:
            return
        if not self.prompt:
            raise bad_argument(
                "prompt",
                expected="at least 1 token, since a beam search from one start finds one text",
                given=self.prompt,
                hint="give e.g. --prompt 32",
            )
        matched = [name for name in self.regimes if REGIMES[name].is_matched]
        if matched:
            raise bad_argument(
                "beams",
                expected=f"1 for {', '.join(matched)}: what a beam search finds is not drawn, so "
                "that there is no sampler to match the loss to",
                given=self.beams,
                hint="leave --beams out, or these regimes",
            )

    @property
    def decoding(self) -> Decoding:
        """How a generation writes."""
        return Decoding(
            temperature=self.temperature, top_k=self.top_k, top_p=self.top_p, min_p=self.min_p
        )

    def experiment(self) -> dict[str, Any]:
        """What decides the figures, in plain JSON types."""
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in _NOT_PART_OF_THE_EXPERIMENT
        }


def digest(*parts: Any) -> str:
    """A short name for plain JSON values."""
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def subset(settings: Settings, names: Iterable[str]) -> dict[str, Any]:
    """Some of the settings, by name."""
    wanted = set(names)
    return {f.name: getattr(settings, f.name) for f in fields(settings) if f.name in wanted}
