"""What a model writes when it is asked to: with human prompts, and all by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.arguments import MOST, check_fields, flag, many, optional, whole
from collapse_guard.errors import bad_argument
from collapse_guard.model.decoding import A_DECODING, PLAIN, Decoding
from collapse_guard.model.forward import virtual_tokens
from collapse_guard.model.positions import positions_of
from collapse_guard.model.sample import sample
from collapse_guard.readings.panel import Panel
from collapse_guard.spacing import evenly_spaced

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sampling:
    """How much a model writes for its sampled readings, and how it draws.

    Both starts matter: a model that keeps its tail on human contexts can still have lost it when
    it writes from nothing. All texts have one length and the seed stays the same, so that two
    looks compare amounts of text and chances that are alike.

    Attributes:
        num_free: Texts that start from nothing, at least 3.
        num_prompts: Human prompts, at least 2: the beginnings of windows of the panel, spread
            evenly over its documents.
        samples_per_prompt: Texts for each prompt, at least 2.
        prompt_length: Tokens of a prompt, the panel's prefix included, at least 1.
        length: New tokens of each text, at least 8.
        decoding: How tokens are drawn; from the model as it is where left out.
        start_ids: The tokens before a text that starts from nothing; None for the model's
            beginning-of-sequence token.
        batch_size: Texts drawn at once.
        seed: Of all draws, the same at every look.
        required: Whether a model that cannot write this is an error. Where it is False, prompts and
            texts are shortened to what panel and model hold, and the readings of a model that
            cannot write at all are left out, which the log tells once.

    Raises:
        ArgumentError: At construction, for a number that is too small.
    """

    num_free: int = 64
    num_prompts: int = 16
    samples_per_prompt: int = 4
    prompt_length: int = 16
    length: int = 64
    decoding: Decoding = PLAIN
    start_ids: Sequence[int] | None = None
    batch_size: int = 64
    seed: int = 0
    required: bool = True

    def __post_init__(self) -> None:
        least = {
            # Errors are told by leaving a text out, and self-BLEU compares those that are left.
            "num_free": 3,
            "num_prompts": 2,
            "samples_per_prompt": 2,
            "prompt_length": 1,
            "length": 8,
            "batch_size": 1,
        }
        hint = "diversity is a property of several texts of some length"
        check_fields(
            self,
            **{
                name: whole(least=smallest, most=MOST, hint=hint)
                for name, smallest in least.items()
            },
            decoding=A_DECODING,
            start_ids=optional(
                many(
                    whole(least=0, hint="give token ids"),
                    expected="token ids",
                    hint="give [tokenizer.bos_token_id], or leave it out",
                )
            ),
            seed=whole(least=0, hint="0 is fine"),
            required=flag(hint="leave it out"),
        )

    @property
    def num_texts(self) -> int:
        """Texts of a look, both those that start from nothing and those after prompts."""
        return self.num_free + self.num_prompts * self.samples_per_prompt

    @property
    def compared(self) -> str:
        """What two looks must have in common for what is written to be compared."""
        return repr(replace(self, batch_size=1, required=True))


A_LITTLE = Sampling(
    num_free=32, num_prompts=8, samples_per_prompt=4, prompt_length=16, length=32, required=False
)
"""What a monitor lets the model write where nothing is said: two batches of 32 texts."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Texts that a model wrote.

    Attributes:
        free: int64 of shape (texts, tokens), started from nothing.
        prompted: int64 of shape (prompts, texts of a prompt, tokens), without the prompts.
    """

    free: Ids
    prompted: Ids

    @property
    def prompts(self) -> list[list[Ids]]:
        """The texts of each prompt."""
        return [list(texts) for texts in self.prompted]


def draw_samples(model: torch.nn.Module, panel: Panel, sampling: Sampling) -> Samples:
    """Let a model write, without leaving a trace in it.

    Args:
        model: A causal language model.
        panel: Where the human prompts are from.
        sampling: How much, and how.

    Raises:
        ArgumentError: The panel has fewer or shorter windows than prompts are asked for, the texts
            do not fit the model's positions, or the model names no token to start from.
        ScoringError: The model gives nothing to draw from.
    """
    if not sampling.required:
        sampling = _fitted(sampling, panel, model)
    prompts = _prompts(panel, sampling)

    def write(prompt_ids: torch.Tensor | None, num_sequences: int) -> Ids:
        return sample(
            model,
            num_sequences=num_sequences,
            length=sampling.length,
            seed=sampling.seed,
            prompt_ids=prompt_ids,
            decoding=sampling.decoding,
            batch_size=sampling.batch_size,
        ).numpy()

    start = None if sampling.start_ids is None else torch.tensor(list(sampling.start_ids))
    repeated = prompts.repeat_interleave(sampling.samples_per_prompt, dim=0)
    prompted = write(repeated, len(repeated))
    return Samples(
        free=write(start, sampling.num_free),
        prompted=prompted.reshape(sampling.num_prompts, sampling.samples_per_prompt, -1),
    )


def _fitted(sampling: Sampling, panel: Panel, model: torch.nn.Module) -> Sampling:
    """As much of it as panel and model hold."""
    windows, tokens = panel.input_ids.shape
    limit = positions_of(model)
    room = tokens + sampling.length if limit is None else limit - virtual_tokens(model)
    prompt_length = min(sampling.prompt_length, tokens, max(room // 2, 1))
    return replace(
        sampling,
        num_prompts=min(sampling.num_prompts, windows),
        prompt_length=prompt_length,
        length=min(sampling.length, room - prompt_length),
    )


def _prompts(panel: Panel, sampling: Sampling) -> torch.Tensor:
    if sampling.num_prompts > len(panel):
        raise bad_argument(
            "num_prompts",
            expected=f"at most the panel's {len(panel)} windows",
            given=sampling.num_prompts,
            hint="ask for fewer prompts, or give the panel more text",
        )
    if sampling.prompt_length > panel.input_ids.shape[1]:
        raise bad_argument(
            "prompt_length",
            expected=f"at most the panel's {panel.input_ids.shape[1]} tokens a window",
            given=sampling.prompt_length,
            hint="shorten the prompts, or make the panel with a longer `window`",
        )
    chosen = evenly_spaced(sampling.num_prompts, len(panel))
    return panel.input_ids[chosen, : sampling.prompt_length]
