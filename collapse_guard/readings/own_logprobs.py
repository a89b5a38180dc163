"""Log-probabilities that a panel itself gives, of a model that is no causal language model."""

import torch

from collapse_guard.errors import ScoringError
from collapse_guard.model.forward import without_data_parallel
from collapse_guard.model.undisturbed import undisturbed
from collapse_guard.readings.panel import Panel, ScoresItself
from collapse_guard.readings.panel_logprobs import place_in_panel
from collapse_guard.statistics.overflow import MOST_NATS


def own_logprobs(
    model: torch.nn.Module, panel: Panel, windows: torch.Tensor, at: torch.Tensor
) -> torch.Tensor:
    """What a panel that scores itself gives at some positions, without a trace in the model.

    Args:
        model: Any model that the panel can score itself with.
        panel: A panel that is a `ScoresItself` too.
        windows: int64 of shape (chosen windows,), on the CPU.
        at: bool of shape (chosen windows, tokens), the positions, on the CPU.

    Returns:
        float64 of shape (positions,), on the CPU, in row-major order.

    Raises:
        ScoringError: What it gives is no float tensor of that shape; or a position's is 700 or more
            nats, and the message names document, window and position.
    """
    if not isinstance(panel, ScoresItself):
        raise ScoringError(f"a {type(panel).__name__} has no `log_probs` to score itself with.")
    with undisturbed(model, call=None):
        given = panel.log_probs(without_data_parallel(model), windows)
    if (
        not isinstance(given, torch.Tensor)
        or given.shape != at.shape
        or not given.dtype.is_floating_point
    ):
        shape = tuple(getattr(given, "shape", ()))
        raise ScoringError(
            f"`log_probs` of the panel returned a {type(given).__name__} of shape {shape}: let it "
            f"return a float tensor of shape {tuple(at.shape)}, one for each position of the "
            f"windows asked for."
        )
    # To the CPU first: some accelerators have no float64.
    logprobs = given.detach().cpu().double()[at]
    if (logprobs >= MOST_NATS).any():
        row, column = at.nonzero()[int(logprobs.argmax())].tolist()
        raise ScoringError(
            f"`log_probs` of the panel gave {float(logprobs.max()):.4g} nats at "
            f"{place_in_panel(panel, windows, row)}, position {column}, whose exponential is past "
            f"what a float holds: of a density give nats per dimension."
        )
    return logprobs
