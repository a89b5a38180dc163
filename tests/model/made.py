"""Input and models that several tests of how models are called share."""

import torch
import transformers

from tests.tiny import VOCAB

ROWS, TOKENS = 4, 12


def some_input(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and positions, of which one row has none."""
    generator = torch.Generator().manual_seed(seed)
    input_ids = torch.randint(0, VOCAB, (ROWS, TOKENS), generator=generator)
    positions = torch.rand(ROWS, TOKENS, generator=generator) < 0.3
    positions[:, 0] = False
    positions[2] = False
    return input_ids, positions


def tiny_paligemma_config(**text: object) -> transformers.PaliGemmaConfig:
    """A model that reads pictures too, around a language model with these settings."""
    return transformers.PaliGemmaConfig(
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 16,
            "patch_size": 8,
            "projection_dim": 32,
        },
        text_config={
            "model_type": "gemma",
            "vocab_size": VOCAB,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 16,
            **text,
        },
        image_token_index=VOCAB - 1,
        projection_dim=32,
        hidden_size=32,
    )
