"""Log-probabilities at positions of a panel, without the rest of a look."""

from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.errors import bad_argument
from collapse_guard.model.forward import in_batches
from collapse_guard.model.logprobs import check_finite, next_token_logits, picked_logprobs
from collapse_guard.readings.panel import Panel


def panel_logprobs(
    model: torch.nn.Module,
    panel: Panel,
    *,
    at: torch.Tensor | None = None,
    batch_size: int = 16,
) -> npt.NDArray[np.float64]:
    """Log-probability of the token at each position of a panel, or at some of them.

    Only the positions asked for go through the output layer, and windows without any are not run
    at all: with `at=panel.tail_positions` it costs a fraction of a whole look (`score_panel`).

    Args:
        model: A causal language model.
        panel: The held-out text.
        at: bool of shape (windows, tokens), within `panel.positions`; None for all of those.
        batch_size: Windows per forward pass, at least 1.

    Returns:
        float64 of shape (chosen positions,), natural logarithms, in row-major order.

    Raises:
        ArgumentError: Positions that the panel does not have, or a batch size out of range.
        TokenizerMismatchError: Token ids past the model's vocabulary.
        ScoringError: As in `token_logprobs`; the message names document, window and position.
    """
    if batch_size < 1:
        raise bad_argument(
            "batch_size", expected="at least 1 window", given=batch_size, hint="16 is the default"
        )
    at = panel.positions if at is None else check_within("at", at, panel)
    scored = [np.zeros(0)]
    wanted = at.any(1).nonzero().squeeze(1)
    sizes = {"tokens": panel.input_ids.shape[1], "vocab_size": panel.vocab_size}
    for windows in in_batches(model, wanted, **sizes, most=batch_size):
        logits, targets, where = next_token_logits(
            model, panel.input_ids[windows], at[windows], causal=True
        )
        logprobs = picked_logprobs(logits, targets)
        check_finite(logprobs, where, partial(place_in_panel, panel, windows))
        scored.append(logprobs.cpu().numpy().astype(np.float64))
    return np.concatenate(scored)


def check_within(argument: str, at: torch.Tensor, panel: Panel) -> torch.Tensor:
    """Positions on the CPU, refused where they are not among the panel's.

    Args:
        argument: The argument's name.
        at: bool of shape (windows, tokens).
        panel: The held-out text.

    Raises:
        ArgumentError: Another shape or dtype, or a position that the panel does not look at.
    """
    if at.shape != panel.positions.shape or at.dtype != torch.bool:
        raise bad_argument(
            argument,
            expected=f"bool of shape {tuple(panel.positions.shape)}, that of `panel.positions`",
            given=f"{at.dtype} of shape {tuple(at.shape)}",
            hint="mark each position with True, as panel.tail_positions does",
        )
    at = at.cpu()
    if (at & ~panel.positions).any():
        raise bad_argument(
            argument,
            expected="True only where `panel.positions` is",
            given="a position that the panel does not look at",
            hint="combine it with & panel.positions",
        )
    return at


def place_in_panel(panel: Panel, windows: torch.Tensor, row: int) -> str:
    """What an error message calls a row of a batch of windows.

    Args:
        panel: The held-out text.
        windows: int64 of shape (batch,), the numbers of the windows.
        row: Number of the row in the batch.
    """
    window = int(windows[row])
    return f"document {int(panel.document_ids[window])} of the panel (its window {window})"
