"""A plain training loop: the model's first lesson, on human text."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from collapse_guard.examples.recursive_finetune.progress import progress_bar

WARM_UP_SHARE = 0.05
FINAL_RATE = 0.1
"""Shares of the steps that the learning rate rises over, and of its peak that it ends at."""


def pretrain(
    model: nn.Module,
    stream: npt.NDArray[np.int64],
    *,
    steps: int,
    batch_size: int,
    window: int,
    learning_rate: float,
    seed: int,
    bf16: bool = False,
    show_progress: bool = True,
) -> None:
    """Train all weights of a model in place, on random windows of a stream of tokens.

    Args:
        model: A causal language model, on the device to train on.
        stream: Token ids of shape (tokens,), at least `window` of them.
        steps: Optimizer steps of AdamW with a cosine schedule.
        batch_size: Windows in each.
        window: Tokens in a window.
        learning_rate: At the peak.
        seed: Decides which windows are drawn.
        bf16: Compute in bfloat16 where it is safe to.
        show_progress: Whether to draw a bar.
    """
    device = next(model.parameters()).device
    tokens = torch.from_numpy(stream)
    windows = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.1
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    model.train()
    bar = progress_bar("learning from human text", range(steps), shown=show_progress)
    for _ in bar:
        starts = torch.randint(len(tokens) - window + 1, (batch_size, 1), generator=windows)
        rows = tokens[starts + torch.arange(window)].to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            loss = model(input_ids=rows, labels=rows).loss
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.2f}", refresh=False)
    model.eval()


def _rate(step: int, steps: int) -> float:
    rising = (step + 1) / max(1.0, WARM_UP_SHARE * steps)
    falling = FINAL_RATE + (1 - FINAL_RATE) * (1 + math.cos(math.pi * step / steps)) / 2
    return min(rising, 1.0) * falling
