"""What is done to a model, and the loss that it is trained with."""

from collections.abc import Iterator

import torch

from collapse_guard import (
    Decoding,
    SamplerMatchedLoss,
    Sampling,
    mark_labels,
    sample,
    sampler_matched_loss,
    token_logprobs,
    unmark_labels,
)
from tests.hostile.target import Target
from tests.hostile.targets.made import model
from tests.tiny import VOCAB


def ids() -> torch.Tensor:
    return torch.arange(16).reshape(2, 8)


def targets() -> Iterator[Target]:
    yield Target(
        "Decoding",
        Decoding,
        lambda: {
            "temperature": 0.8,
            "top_k": 5,
            "top_p": 0.9,
            "min_p": 0.01,
            "order": ("top_k", "top_p", "min_p"),
        },
    )
    yield Target(
        "Decoding.from_generation_config",
        Decoding.from_generation_config,
        lambda: {"config": {"do_sample": True, "temperature": 0.7}},
    )
    for name in ("temperature", "top_k", "top_p", "min_p"):
        yield Target(
            f"Decoding.from_generation_config {name}",
            lambda name=name, **given: Decoding.from_generation_config(
                {"do_sample": True, **given}
            ),
            lambda name=name: {name: {"temperature": 0.7, "top_k": 5}.get(name, 0.5)},
        )
        yield Target(
            f"Decoding.from_vllm {name}",
            lambda **given: Decoding.from_vllm(given),
            lambda name=name: {name: {"temperature": 0.7, "top_k": 5}.get(name, 0.5)},
        )
    yield Target("Decoding.from_vllm", Decoding.from_vllm, lambda: {"params": {"temperature": 0.7}})
    yield Target(
        "Sampling",
        Sampling,
        lambda: {
            "num_free": 4,
            "num_prompts": 2,
            "samples_per_prompt": 2,
            "prompt_length": 4,
            "length": 8,
            "decoding": Decoding(),
            "start_ids": None,
            "batch_size": 8,
            "seed": 0,
            "required": True,
        },
    )
    yield Target(
        "sample",
        sample,
        lambda: {
            "model": model(),
            "num_sequences": 2,
            "length": 3,
            "seed": 0,
            "prompt_ids": None,
            "decoding": Decoding(),
            "batch_size": 2,
            "first_sequence": 0,
            "numbers": None,
            "stop_ids": (),
        },
    )
    yield Target(
        "token_logprobs",
        token_logprobs,
        lambda: {
            "model": model(),
            "input_ids": ids(),
            "positions": ids() % 8 == 3,
            "attention_mask": None,
            "encoder_input_ids": None,
            "encoder_attention_mask": None,
        },
    )
    yield Target(
        "sampler_matched_loss",
        sampler_matched_loss,
        lambda: {
            "logits": torch.zeros(2, 8, VOCAB),
            "labels": ids(),
            "decodings": [Decoding(0.8)],
            "drawn_with": torch.ones(2, 8, dtype=torch.long),
            "reduction": "mean",
            "num_items": None,
            "scale_by_temperature": False,
        },
    )
    yield Target(
        "SamplerMatchedLoss",
        SamplerMatchedLoss,
        lambda: {"decodings": [Decoding(0.8)], "scale_by_temperature": False},
    )
    yield Target(
        "SamplerMatchedLoss()",
        lambda **given: SamplerMatchedLoss([Decoding(0.8)])(**given),
        lambda: {
            "logits": torch.zeros(2, 8, VOCAB),
            "labels": mark_labels(ids(), torch.tensor([[1], [0]])),
        },
    )
    yield Target(
        "mark_labels",
        mark_labels,
        lambda: {"labels": ids(), "drawn_with": torch.tensor([[1], [0]])},
    )
    yield Target("unmark_labels", unmark_labels, lambda: {"labels": ids()})
