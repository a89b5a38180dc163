"""Log-probabilities of next tokens at chosen positions, for any causal language model."""

from collections.abc import Iterator
from typing import Any

import torch

from collapse_guard.errors import ScoringError, bad_argument
from collapse_guard.forward import accepts, device_of, logits_of
from collapse_guard.neutrality import undisturbed

_ELEMENTS_AT_A_TIME = 1 << 24
"""Logits turned into float32 at once: 64 MiB, whatever the vocabulary."""


def token_logprobs(
    model: torch.nn.Module,
    input_ids: torch.Tensor,
    positions: torch.Tensor,
    *,
    attention_mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Log-probability of the token at each chosen position, given the tokens before it.

    The model is run in evaluation mode and is left exactly as it was (see `undisturbed`). Only
    the chosen positions go through the output layer where the model can do that; the softmax is
    taken in float32 whatever the model's dtype.

    Args:
        model: A causal language model on any device, wrapped or not.
        input_ids: int64 of shape (rows, tokens), on any device.
        positions: bool of shape (rows, tokens), the positions whose token is scored. Column 0
            cannot be scored, for want of a context.
        attention_mask: bool or integer of shape (rows, tokens), 0 on padding, which may stand
            left or right. None means no padding.

    Returns:
        float32 of shape (chosen positions,), natural logarithms, at most 0, in row-major order, on
        the model's device.

    Raises:
        ArgumentError: Shapes that differ, or a chosen position that has no token or no context.
        ScoringError: The model returned no logits, or logits whose log-softmax is not finite at a
            scored token; the message names row and position.
    """
    logits, targets, where = next_token_logits(model, input_ids, positions, attention_mask)
    picked = [
        block.gather(1, targets[rows, None]).squeeze(1) - block.logsumexp(1)
        for rows, block in float_blocks(logits)
    ]
    logprobs = torch.cat(picked) if picked else torch.zeros(0, device=logits.device)
    check_finite(logprobs, where)
    return logprobs


def next_token_logits(
    model: torch.nn.Module,
    input_ids: torch.Tensor,
    positions: torch.Tensor,
    attention_mask: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The logits that predict the token at each chosen position.

    Args:
        model: As in `token_logprobs`.
        input_ids: As in `token_logprobs`.
        positions: As in `token_logprobs`.
        attention_mask: As in `token_logprobs`.

    Returns:
        The logits, of shape (chosen positions, vocabulary), in the model's dtype; the tokens they
        are to predict, int64 of shape (chosen positions,); and where those stand, int64 of shape
        (chosen positions, 2): row and column. All in row-major order, on the model's device.

    Raises:
        ArgumentError: As in `token_logprobs`.
        ScoringError: The model returned no logits, or logits of an unknown shape.
    """
    _check(input_ids, positions, attention_mask)
    device = device_of(model)
    input_ids, positions = input_ids.to(device), positions.to(device)
    contexts = torch.zeros_like(positions)
    contexts[:, :-1] = positions[:, 1:]
    count = int(contexts.sum())
    arguments: dict[str, Any] = {}
    if attention_mask is not None:
        mask = attention_mask.to(device=device, dtype=torch.int64)
        arguments["attention_mask"] = mask
        if accepts(model, "position_ids"):
            # Absolute positions must count tokens, not padding; transformers models number the
            # columns unless told.
            arguments["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
    if accepts(model, "use_cache"):
        arguments["use_cache"] = False
    if accepts(model, "logits_to_keep"):
        arguments["logits_to_keep"] = contexts
    with undisturbed(model):
        logits = logits_of(model(input_ids, **arguments))
    # The shape decides, not the signature: a model may take the name and still return everything.
    if logits.shape[:-1] == positions.shape:
        logits = logits[contexts]
    elif logits.shape[:-1] != (count,):
        raise ScoringError(
            f"the model returned logits of shape {tuple(logits.shape)} for input of shape "
            f"{tuple(input_ids.shape)} and {count} positions: expected one row of logits per token "
            f"or per position asked for."
        )
    return logits, input_ids[positions], positions.nonzero()


def float_blocks(logits: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
    """Rows of logits as float32, a bounded number at a time.

    Args:
        logits: Of shape (positions, vocabulary), any floating dtype.

    Yields:
        Which rows, and float32 of shape (rows, vocabulary).
    """
    rows = max(_ELEMENTS_AT_A_TIME // logits.shape[-1], 1)
    for start in range(0, len(logits), rows):
        block = slice(start, min(start + rows, len(logits)))
        yield block, logits[block].float()


def check_finite(logprobs: torch.Tensor, where: torch.Tensor) -> None:
    """Refuse log-probabilities that are not finite, naming the first place.

    Args:
        logprobs: float of shape (positions,).
        where: int64 of shape (positions, 2), row and column of each.

    Raises:
        ScoringError: One is NaN or infinite.
    """
    wrong = ~logprobs.isfinite()
    if wrong.any():
        first = int(wrong.nonzero()[0])
        row, column = where[first].tolist()
        raise ScoringError(
            f"the model's log-probability is {logprobs[first].item()} at row {row}, position "
            f"{column}, and not finite at {int(wrong.sum())} of {len(logprobs)} positions: its "
            f"weights or activations hold NaN or infinite numbers."
        )


def _check(
    input_ids: torch.Tensor, positions: torch.Tensor, attention_mask: torch.Tensor | None
) -> None:
    if input_ids.ndim != 2 or input_ids.shape[1] < 2:
        raise bad_argument(
            "input_ids",
            expected="token ids of shape (rows, at least 2 tokens)",
            given=tuple(input_ids.shape),
            hint="add a row dimension with input_ids[None], or give longer text",
        )
    if positions.shape != input_ids.shape or positions.dtype != torch.bool:
        raise bad_argument(
            "positions",
            expected=f"bool of shape {tuple(input_ids.shape)}, that of `input_ids`",
            given=f"{positions.dtype} of shape {tuple(positions.shape)}",
            hint="mark each token to be scored with True",
        )
    if positions[:, 0].any():
        raise bad_argument(
            "positions",
            expected="False in column 0",
            given=True,
            hint="the first token has no context to be predicted from",
        )
    if attention_mask is None:
        return
    if attention_mask.shape != input_ids.shape:
        raise bad_argument(
            "attention_mask",
            expected=f"shape {tuple(input_ids.shape)}, that of `input_ids`",
            given=tuple(attention_mask.shape),
            hint="give what the tokenizer returned beside the ids",
        )
    tokens = attention_mask.bool().to(positions.device)
    if (positions & ~tokens).any() or (positions[:, 1:] & ~tokens[:, :-1]).any():
        raise bad_argument(
            "positions",
            expected="True only on tokens whose predecessor is a token too",
            given="a position on padding, or just after it",
            hint="leave out padding and the first token of each row",
        )
