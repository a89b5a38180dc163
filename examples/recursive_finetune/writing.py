"""A model writes rows by itself, shared out over the processes."""

from typing import Any, cast

import numpy as np
import torch
from torch import nn
from transformers import GenerationConfig

from collapse_guard.examples.recursive_finetune.human_text import Rows
from collapse_guard.examples.recursive_finetune.processes import Processes
from collapse_guard.examples.recursive_finetune.progress import progress_bar
from collapse_guard.examples.recursive_finetune.settings import Settings
from collapse_guard.model.forward import logits_of
from collapse_guard.model.sample import sample
from collapse_guard.model.undisturbed import undisturbed


def write_rows(
    model: nn.Module, settings: Settings, processes: Processes, *, prompts: Rows, seed: int
) -> Rows:
    """Draw a generation's rows.

    Whole batches are dealt to the processes, so that batches, and with them the text, are the same
    on any number of them.

    Args:
        model: It writes.
        settings: Of the run.
        processes: Of the run.
        prompts: int64 of shape (rows, P), what each row begins with: beginnings of human rows, or
            for free running the one token that stands before every document.
        seed: Of what is drawn.

    Returns:
        int64 of shape (rows, window), the prompts first; the same on every process.
    """
    if settings.beams > 1:
        return _beam_search(model, settings, processes, prompts)
    batches = processes.deal(range(0, settings.rows, settings.sampling_batch_size))
    bar = progress_bar("writing", batches, shown=processes.is_main)
    with torch.autocast(processes.device.type, dtype=torch.bfloat16, enabled=settings.bf16):
        mine = [
            (
                first,
                sample(
                    model,
                    num_sequences=min(settings.sampling_batch_size, settings.rows - first),
                    first_sequence=first,
                    length=settings.window - prompts.shape[1],
                    prompt_ids=torch.from_numpy(
                        prompts[first : first + settings.sampling_batch_size]
                    ),
                    decoding=settings.decoding,
                    batch_size=settings.sampling_batch_size,
                    seed=seed,
                ).numpy(),
            )
            for first in bar
        ]
    drawn = np.concatenate([rows for _, rows in sorted(processes.gather(mine), key=_first)])
    return np.concatenate([prompts, drawn], axis=1)


def _beam_search(model: nn.Module, settings: Settings, processes: Processes, prompts: Rows) -> Rows:
    """The likeliest continuation that a beam search finds; the same on every process."""
    config = GenerationConfig(  # type: ignore[no-untyped-call]
        num_beams=settings.beams,
        do_sample=False,
        max_new_tokens=settings.window - prompts.shape[1],
        # Rows are of one length: an end of text is a token like any other.
        eos_token_id=None,
        pad_token_id=0,
    )
    device, found = next(model.parameters()).device, []
    parts = torch.from_numpy(prompts).split(settings.sampling_batch_size)
    with undisturbed(model, call=None):
        for part in progress_bar("writing", parts, shown=processes.is_main):
            ids = part.to(device)
            mask = torch.ones_like(ids)
            rows = cast(Any, model).generate(ids, attention_mask=mask, generation_config=config)
            found.append(rows.cpu().numpy())
    return np.concatenate(found)


def own_entropy(model: nn.Module, rows: Rows, settings: Settings, *, given: int = 1) -> float:
    """Mean entropy of what a model predicts along its own rows, in nats.

    Args:
        model: It wrote them.
        rows: int64 of shape (rows, T).
        settings: Of the run.
        given: Tokens of each row that it did not write.

    The reading `predictive_entropy` is the same along human text. A model whose two entropies drift
    apart is unsure where people write, and sure of itself where it goes on by itself.
    """
    device = next(model.parameters()).device
    sums = []
    with (
        undisturbed(model),
        torch.autocast(device.type, dtype=torch.bfloat16, enabled=settings.bf16),
    ):
        for part in torch.from_numpy(rows).split(settings.panel_batch_size):
            logits = logits_of(model(input_ids=part.to(device)))[:, given - 1 : -1].float()
            entropy = torch.special.entr(logits.softmax(-1)).sum(-1)
            sums.append(float(entropy.double().sum()))
    return sum(sums) / rows[:, given:].size


def _first(batch: tuple[int, Rows]) -> int:
    return batch[0]
