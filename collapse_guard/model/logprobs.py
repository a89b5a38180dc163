"""Log-probabilities of next tokens at chosen positions, for any causal language model."""

from collections.abc import Callable, Iterator

import torch

from collapse_guard.arguments import checked, optional
from collapse_guard.errors import ScoringError
from collapse_guard.model.causality import check_causal, is_found_causal
from collapse_guard.model.forward import device_of, logits_at
from collapse_guard.model.inputs import (
    A_MODEL,
    IDS,
    MASK,
    check_ids,
    check_positions,
    check_range,
    encoder_arguments,
    left_aligned,
)
from collapse_guard.model.positions import check_fits

_ELEMENTS_AT_A_TIME = 1 << 20
"""Logits turned into float32 at once: 4 MiB, which a processor's cache holds."""

_ON_ACCELERATORS = 1 << 24
"""There starting many small kernels would cost more than 64 MiB are worth."""


@checked(
    model=A_MODEL,
    input_ids=IDS,
    positions=IDS,
    attention_mask=optional(MASK),
    encoder_input_ids=optional(IDS),
    encoder_attention_mask=optional(MASK),
)
def token_logprobs(
    model: torch.nn.Module,
    input_ids: torch.Tensor,
    positions: torch.Tensor,
    *,
    attention_mask: torch.Tensor | None = None,
    encoder_input_ids: torch.Tensor | None = None,
    encoder_attention_mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Log-probability of the token at each chosen position, given the tokens before it.

    The model is run in evaluation mode and is left exactly as it was (see `undisturbed`). Only
    the chosen positions go through the output layer where the model can do that; the softmax is
    taken in float32 whatever the model's dtype.

    An encoder-decoder model (T5, BART) predicts its decoder's text given another text that its
    encoder reads. Here `input_ids` is what the decoder reads, so it begins with the model's
    decoder start token, and `encoder_input_ids` is what the encoder reads.

    Args:
        model: A causal language model or an encoder-decoder, on any device, wrapped or not.
        input_ids: int64 of shape (rows, tokens), on any device.
        positions: bool of shape (rows, tokens), the positions whose token is scored. Column 0
            cannot be scored, for want of a context.
        attention_mask: bool or integer of shape (rows, tokens), 0 on padding, which may stand
            left or right. None means no padding.
        encoder_input_ids: int64 of shape (rows, encoder tokens), for an encoder-decoder.
        encoder_attention_mask: bool or integer of shape (rows, encoder tokens), 0 on padding. None
            means no padding.

    Returns:
        float32 of shape (chosen positions,), natural logarithms, at most 0, in row-major order, on
        the model's device.

    Raises:
        ArgumentError: Shapes that differ, a chosen position that has no token or no context, rows
            longer than the model's positions, or an encoder's text missing or superfluous.
        TokenizerMismatchError: Token ids past the model's vocabulary.
        ScoringError: The model is not causal (see `check_causal`, which tries it at the first
            call), returned no logits, or logits whose log-softmax is not finite at a scored token;
            the message names row and position.

    Example:
        >>> class Uniform(torch.nn.Module):
        ...     def forward(self, input_ids):
        ...         return torch.zeros(*input_ids.shape, 4)
        >>> ids = torch.tensor([[0, 3, 1]])
        >>> token_logprobs(Uniform(), ids, torch.tensor([[False, True, True]]))
        tensor([-1.3863, -1.3863])
    """
    logits, targets, where = next_token_logits(
        model,
        input_ids,
        positions,
        attention_mask=attention_mask,
        encoder_input_ids=encoder_input_ids,
        encoder_attention_mask=encoder_attention_mask,
        causal=True,
    )
    logprobs = picked_logprobs(logits, targets)
    check_finite(logprobs, where)
    return logprobs


def next_token_logits(
    model: torch.nn.Module,
    input_ids: torch.Tensor,
    positions: torch.Tensor,
    *,
    attention_mask: torch.Tensor | None = None,
    encoder_input_ids: torch.Tensor | None = None,
    encoder_attention_mask: torch.Tensor | None = None,
    causal: bool = False,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The logits that predict the token at each chosen position.

    Args:
        model: As in `token_logprobs`.
        input_ids: As in `token_logprobs`.
        positions: As in `token_logprobs`.
        attention_mask: As in `token_logprobs`.
        encoder_input_ids: As in `token_logprobs`.
        encoder_attention_mask: As in `token_logprobs`.
        causal: Whether to try too that the model is causal, unless it has been found to be.

    Returns:
        The logits, of shape (chosen positions, vocabulary), in the model's dtype; the tokens they
        are to predict, int64 of shape (chosen positions,); and where those stand, int64 of shape
        (chosen positions, 2): row and column. All in row-major order, on the model's device.

    Raises:
        ArgumentError: As in `token_logprobs`.
        TokenizerMismatchError: As in `token_logprobs`.
        ScoringError: The model returned no logits, or logits of an unknown shape; or it was to be
            tried, and is not causal.
    """
    check_positions(input_ids, positions, attention_mask)
    device = device_of(model)
    where = positions.nonzero().to(device)
    if attention_mask is not None:
        mask = attention_mask.to(input_ids.device)
        input_ids, positions = left_aligned(input_ids, positions.to(input_ids.device), mask)
    check_ids("input_ids", model, input_ids)
    check_fits("input_ids", model, input_ids.shape[1])
    encoder = encoder_arguments(
        model, encoder_input_ids, encoder_attention_mask, rows=len(input_ids)
    )
    logits = logits_at(model, input_ids, positions, encoder=encoder)
    if causal and not is_found_causal(model):
        check_causal(model, input_ids, encoder=encoder)
    targets = input_ids.to(device, torch.int64)[positions.to(device)]
    check_range("input_ids", targets, logits.shape[-1])
    return logits, targets, where


def picked_logprobs(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The log-probability of one token for each row of logits.

    Args:
        logits: Of shape (positions, vocabulary), any floating dtype.
        targets: int64 of shape (positions,).

    Returns:
        float32 of shape (positions,), natural logarithms.

    Example:
        >>> picked_logprobs(torch.tensor([[0.0, -120.0]]), torch.tensor([1]))
        tensor([-120.])
    """
    logprobs = torch.empty(len(logits), device=logits.device)
    for rows, block in float_blocks(logits):
        # Not `logsumexp`, which goes over the block more often and takes half as long again.
        logprobs[rows] = block.log_softmax(1).gather(1, targets[rows, None]).squeeze(1)
    return logprobs


def float_blocks(logits: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
    """Rows of logits as float32, a bounded number at a time.

    Args:
        logits: Of shape (positions, vocabulary), any floating dtype.

    Yields:
        Which rows, and float32 of shape (rows, vocabulary).
    """
    for block in row_blocks(logits, len(logits)):
        yield block, logits[block].float()


def row_blocks(
    logits: torch.Tensor, rows: int, on_accelerators: int = _ON_ACCELERATORS
) -> Iterator[slice]:
    """A number of rows in parts, so that what is computed of one part takes bounded memory.

    Args:
        logits: Of shape (positions, vocabulary).
        rows: How many there are.
        on_accelerators: The most elements of a part there.
    """
    elements = _ELEMENTS_AT_A_TIME if logits.is_cpu else on_accelerators
    at_a_time = max(elements // logits.shape[-1], 1)
    for start in range(0, rows, at_a_time):
        yield slice(start, min(start + at_a_time, rows))


def check_finite(
    logprobs: torch.Tensor,
    where: torch.Tensor,
    name_row: Callable[[int], str] = "row {}".format,
) -> None:
    """Refuse log-probabilities that are not finite, naming the first place.

    Args:
        logprobs: float of shape (positions,).
        where: int64 of shape (positions, 2), row and column of each.
        name_row: What the message calls a row.

    Raises:
        ScoringError: One is NaN or infinite.
    """
    wrong = ~logprobs.isfinite()
    if wrong.any():
        first = int(wrong.nonzero()[0])
        row, column = where[first].tolist()
        raise ScoringError(
            f"the model's log-probability is {logprobs[first].item()} at {name_row(row)}, position "
            f"{column}, and not finite at {int(wrong.sum())} of {len(logprobs)} positions: its "
            f"weights or activations hold NaN or infinite numbers."
        )
