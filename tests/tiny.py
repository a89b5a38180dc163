"""Small models and texts that tests make for themselves."""

from typing import Any

import numpy as np
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedModel,
)

from collapse_guard import HeldOutPanel, HumanReference, Sampling

VOCAB = 50

BRIEF = Sampling(
    num_free=3, num_prompts=2, samples_per_prompt=2, prompt_length=4, length=8, required=False
)
"""What a monitor lets a model write where a test is not about that: a default look takes 20 times
as long."""


def tiny_gpt2(
    *, dropout: float = 0.0, seed: int = 0, vocab_size: int = VOCAB, positions: int = 64
) -> PreTrainedModel:
    config = GPT2Config(
        vocab_size=vocab_size,
        n_positions=positions,
        n_embd=32,
        n_layer=2,
        n_head=2,
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
        bos_token_id=0,
        eos_token_id=0,
    )
    return _seeded(GPT2LMHeadModel, config, seed)


def tiny_llama(
    *, seed: int = 0, vocab_size: int = VOCAB, positions: int = 64, **config: Any
) -> PreTrainedModel:
    usual = {
        "vocab_size": vocab_size,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": positions,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    return _seeded(LlamaForCausalLM, LlamaConfig(**{**usual, **config}), seed)


def tiny_opt(*, seed: int = 0, vocab_size: int = VOCAB) -> PreTrainedModel:
    config = OPTConfig(
        vocab_size=vocab_size,
        hidden_size=32,
        word_embed_proj_dim=32,
        ffn_dim=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=1,
    )
    return _seeded(OPTForCausalLM, config, seed)


def _seeded(make: type[PreTrainedModel], config: object, seed: int) -> PreTrainedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make(config)
        # Initial weights are so small that all models predict alike; tests need them to differ.
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(4.0)
    return model


def perturb(model: torch.nn.Module, scale: float, seed: int = 1) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator))


def zipf_documents(count: int, *, length: int = 100, seed: int = 0) -> list[list[int]]:
    """Documents whose token t has a probability that falls as 1 / (t + 1)."""
    generator = np.random.default_rng(seed)
    probabilities = 1.0 / np.arange(1, VOCAB + 1)
    return generator.choice(
        VOCAB, size=(count, length), p=probabilities / probabilities.sum()
    ).tolist()


def tiny_reference() -> HumanReference:
    return HumanReference.from_token_ids(zipf_documents(40, seed=1), vocab_size=VOCAB)


def tiny_panel(*, documents: int = 12, window: int = 32) -> HeldOutPanel:
    return HeldOutPanel.from_token_ids(
        zipf_documents(documents, seed=2), tiny_reference(), window=window
    )
