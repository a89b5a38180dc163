"""The model that is fine-tuned: one from the hub, or a small one, made once and kept."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)

from collapse_guard.examples.recursive_finetune.corpus import Corpus
from collapse_guard.examples.recursive_finetune.folders import new_folder
from collapse_guard.examples.recursive_finetune.pretraining import pretrain
from collapse_guard.examples.recursive_finetune.processes import Processes
from collapse_guard.examples.recursive_finetune.settings import Settings, digest, subset
from collapse_guard.examples.recursive_finetune.tokenization import (
    encode,
    rows_of,
    separator,
    train_tokenizer,
)

# What the small model depends on: it is made anew when one of these changes.
_INGREDIENTS = (
    "seed window vocab_size hidden_size num_layers base_steps base_batch_size "
    "base_learning_rate bf16"
)
_HEAD_WIDTH = 32


@dataclass(frozen=True)
class BaseModel:
    """A causal language model, not fine-tuned yet.

    Attributes:
        source: Where it is: a folder, or a name on the hub.
        tokenizer: Of the model.
        from_cache: Whether it was there already.
    """

    source: str
    tokenizer: PreTrainedTokenizerBase
    from_cache: bool


def load_model(source: str | Path, device: torch.device) -> PreTrainedModel:
    """Read a causal language model in float32: adapters are merged without rounding."""
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    return on_device(model, device)


def on_device(model: PreTrainedModel, device: torch.device) -> PreTrainedModel:
    """The model, moved there; `model.to(device)`, past a decorator that hides its types."""
    return torch.nn.Module.to(model, device)


def prepare_base_model(settings: Settings, corpus: Corpus, processes: Processes) -> BaseModel:
    """The model given with `--model`, or a small one, out of the cache where it is there.

    The small one is a Llama with tied embeddings that knows nothing but the pretraining part of
    the human text, and so does its tokenizer.
    """
    if settings.model is not None:
        return BaseModel(settings.model, AutoTokenizer.from_pretrained(settings.model), True)
    ingredients = subset(settings, _INGREDIENTS.split())
    key = digest(ingredients, corpus.pretraining, torch.__version__, transformers.__version__)
    folder = cache_folder() / key
    from_cache = folder.is_dir()
    # Nobody may look for the folder after somebody has begun to make it.
    processes.wait()
    if processes.is_main and not from_cache:
        _make(settings, corpus, processes, folder)
    processes.wait()
    return BaseModel(str(folder), AutoTokenizer.from_pretrained(folder), from_cache)


def cache_folder() -> Path:
    """Where small models are kept; `XDG_CACHE_HOME` moves it."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "collapse_guard" / "recursive_finetune"


def _make(settings: Settings, corpus: Corpus, processes: Processes, folder: Path) -> None:
    # An example may set the global seed: the process is its own.
    set_seed(settings.seed)
    tokenizer = train_tokenizer(corpus.pretraining, settings.vocab_size)
    model = on_device(LlamaForCausalLM(_small_llama(settings, tokenizer)), processes.device)
    stream = rows_of(encode(tokenizer, corpus.pretraining), 1, separator(tokenizer)).ravel()
    pretrain(
        model,
        stream,
        steps=settings.base_steps,
        batch_size=settings.base_batch_size,
        window=settings.window,
        learning_rate=settings.base_learning_rate,
        seed=settings.seed,
        bf16=settings.bf16,
    )
    with new_folder(folder) as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)


def _small_llama(settings: Settings, tokenizer: PreTrainedTokenizerBase) -> LlamaConfig:
    heads = max(1, settings.hidden_size // _HEAD_WIDTH)
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden_size,
        intermediate_size=3 * settings.hidden_size,
        num_hidden_layers=settings.num_layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=settings.window,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
