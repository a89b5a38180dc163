"""Weights between those of a trained model and those that it started from."""

import torch
from transformers import PreTrainedModel

from collapse_guard.examples.recursive_finetune.regimes.regime import Lesson


def half_way_to_the_start(model: PreTrainedModel, lesson: Lesson) -> None:
    """The mean of a model's weights and generation 0's (Wortsman et al. 2022, arXiv 2109.01903)."""
    start = dict(lesson.start().named_parameters())
    with torch.no_grad():
        for name, weights in model.named_parameters():
            weights.lerp_(start[name].to(weights.device, weights.dtype), 0.5)
