"""Whether a model can be looked at on a panel at all, found out before its first reading."""

import torch

from collapse_guard.distributed import all_or_none, any_process
from collapse_guard.model.causality import check_causal, is_found_causal
from collapse_guard.model.forward import in_batches
from collapse_guard.model.inputs import encoder_arguments
from collapse_guard.model.positions import check_fits
from collapse_guard.model.trial import check_leaves_no_trace
from collapse_guard.readings.panel import Panel


def check_model(
    model: torch.nn.Module, panel: Panel, *, batch_size: int, across_processes: bool
) -> None:
    """Refuse a model whose look at the panel would fail, mean nothing, or change the training.

    A model is tried once. In a distributed run all processes must call it.

    Args:
        model: A causal language model.
        panel: Windows of tokens, each of which has an embedding.
        batch_size: Windows per forward pass.
        across_processes: Whether the processes share the windows out.

    Raises:
        ArgumentError: The windows are longer than the model's positions, or it is an
            encoder-decoder.
        UnwatchableError: As of `check_leaves_no_trace` and `check_causal`.
        ScoringError: As of `check_causal`.
        PeerError: It was another process that failed.
    """
    check_fits("panel", model, panel.input_ids.shape[1])
    encoder_arguments(model, None, None, rows=len(panel))
    untried = not is_found_causal(model)
    if not across_processes:
        if untried:
            _try(model, panel, batch_size)
    elif any_process(untried):
        # All of them, on the same text: a sharded model answers only when all processes call it.
        with all_or_none():
            _try(model, panel, batch_size)


def _try(model: torch.nn.Module, panel: Panel, batch_size: int) -> None:
    # First of all, before anything else has called the model.
    check_leaves_no_trace(model, panel.input_ids[:1])
    sizes = {"tokens": panel.input_ids.shape[1], "vocab_size": panel.vocab_size}
    batch, *_ = in_batches(model, torch.arange(len(panel)), **sizes, most=batch_size)
    check_causal(model, panel.input_ids[batch])
