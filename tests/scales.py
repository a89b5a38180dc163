"""Models of a stated size, and text for them: what costs are measured on, and looks on a GPU."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from collapse_guard import HeldOutPanel, HumanReference

Ids = npt.NDArray[np.int64]

DOCUMENTS = 48


@dataclass(frozen=True)
class Scale:
    """A model and a batch.

    Attributes:
        vocab_size: Types.
        hidden: Width of the model.
        layers: Of the model.
        heads: Of each layer.
        rows: Of a pass.
        window: Tokens of a row.
        accumulated: Passes of a step.
        device: Where it is trained: bfloat16 on "cuda", as trainers have it, float32 on "cpu".
        dropout: Of attention.
    """

    vocab_size: int
    hidden: int
    layers: int
    heads: int
    rows: int
    window: int
    accumulated: int = 1
    device: str = "cpu"
    dropout: float = 0.0

    def precision(self) -> AbstractContextManager[object]:
        """What training and looks alike run in."""
        return torch.autocast("cuda", torch.bfloat16) if self.device == "cuda" else nullcontext()

    def wait(self) -> None:
        """Let the accelerator finish what it was given."""
        if self.device == "cuda":
            torch.cuda.synchronize()


def llama_of(scale: Scale) -> PreTrainedModel:
    """A model that has learned nothing, on the scale's device, from the global random state."""
    config = LlamaConfig(
        vocab_size=scale.vocab_size,
        hidden_size=scale.hidden,
        intermediate_size=3 * scale.hidden,
        num_hidden_layers=scale.layers,
        num_attention_heads=scale.heads,
        num_key_value_heads=scale.heads,
        max_position_embeddings=scale.window,
        attention_dropout=scale.dropout,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
    )
    return LlamaForCausalLM(config).to(scale.device)


def text_of(
    random: np.random.Generator, scale: Scale, documents: int, *, cooled: float = 1.0
) -> Ids:
    """Documents of a Zipf law, each with 50 types of its own that make up half of it."""
    law = _law(scale.vocab_size, cooled)
    common = random.choice(scale.vocab_size, (documents, scale.window), p=law)
    own = random.choice(scale.vocab_size, (documents, 50), p=law)
    of_own = np.take_along_axis(own, random.integers(0, 50, common.shape), axis=1)
    return np.where(random.random(common.shape) < 0.5, common, of_own)


def reference_of(scale: Scale) -> HumanReference:
    """Counts of such text."""
    seen = text_of(np.random.default_rng(1), _twice_as_long(scale), 500)
    return HumanReference.from_token_ids(list(seen), vocab_size=scale.vocab_size)


def panel_of(scale: Scale, *, documents: int = DOCUMENTS) -> HeldOutPanel:
    """Two windows of each of some documents."""
    held_out = text_of(np.random.default_rng(2), _twice_as_long(scale), documents)
    return HeldOutPanel.from_token_ids(list(held_out), reference_of(scale), window=scale.window)


def parameters_of(model: torch.nn.Module) -> int:
    """How many weights a model has, those that two layers share once."""
    return sum(parameter.numel() for parameter in model.parameters())


@cache
def _law(vocab_size: int, cooled: float) -> npt.NDArray[np.float64]:
    law = (1.0 / (np.arange(vocab_size) + 2.7)) ** (1 / cooled)
    return np.asarray(law / law.sum())


def _twice_as_long(scale: Scale) -> Scale:
    return replace(scale, window=2 * scale.window)
