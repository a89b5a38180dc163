"""What one look at a panel yields: numbers per position and window, of which readings are made."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.errors import TokenizerMismatchError
from collapse_guard.forward import input_embeddings
from collapse_guard.panel import HeldOutPanel
from collapse_guard.panel_logprobs import place_in_panel
from collapse_guard.scoring import check_finite, float_blocks, next_token_logits

Floats = npt.NDArray[np.float64]

DOCUMENT_GROUPS = 64
"""Documents are dealt into so many groups where a whole distribution per document is too much."""


@dataclass(frozen=True, eq=False)
class PanelScores:
    """Sums over the positions of each window; "tail" and "head" over those positions only.

    Attributes:
        position_logprobs: float64 of shape (positions,), the log-probability of each of the panel's
            positions in row-major order, natural logarithms.
        logprob: float64 of shape (windows,), natural logarithms.
        tail_logprob: As `logprob`.
        tail_prob: float64 of shape (windows,), probabilities.
        head_logprob: As `logprob`.
        tail_mass: float64 of shape (windows,), the probability put on all tail types together.
        entropy: float64 of shape (windows,), of the predicted distributions, in nats.
        group_distributions: float64 of shape (groups, vocabulary), predicted distributions summed
            over the positions of each group of documents. At most `DOCUMENT_GROUPS` groups:
            document d is in group d modulo their number.
    """

    position_logprobs: Floats
    logprob: Floats
    tail_logprob: Floats
    tail_prob: Floats
    head_logprob: Floats
    tail_mass: Floats
    entropy: Floats
    group_distributions: Floats


def score_panel(
    model: torch.nn.Module, panel: HeldOutPanel, *, batch_size: int = 16
) -> PanelScores:
    """Run a model over a panel, without leaving a trace in it.

    Args:
        model: A causal language model.
        panel: The held-out text.
        batch_size: Windows per forward pass, at least 1.

    Raises:
        TokenizerMismatchError: The model's vocabulary is smaller than the reference's.
        ScoringError: As in `next_token_logits`, or a log-probability that is not finite; the
            message names document, window and position.
    """
    embeddings = input_embeddings(model)
    if embeddings is not None:
        # Before the first look-up: past the last row a GPU fails in a way that ends the process.
        _check_vocabulary(embeddings.num_embeddings, panel)
    groups = min(DOCUMENT_GROUPS, panel.num_documents)
    parts: list[dict[str, Floats]] = []
    group_distributions = np.zeros((groups, 1))
    for windows in torch.split(torch.arange(len(panel)), batch_size):
        part, distributions = _score_windows(model, panel, windows, groups)
        parts.append(part)
        # Added up as they come: one for each batch would be gigabytes for a large vocabulary.
        group_distributions = group_distributions + distributions.cpu().numpy()
    return PanelScores(
        **{name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
        group_distributions=group_distributions,
    )


def _score_windows(
    model: torch.nn.Module, panel: HeldOutPanel, windows: torch.Tensor, groups: int
) -> tuple[dict[str, Floats], torch.Tensor]:
    logits, targets, where = next_token_logits(
        model, panel.input_ids[windows], panel.positions[windows]
    )
    vocab_size = logits.shape[-1]
    _check_vocabulary(vocab_size, panel)
    device = logits.device
    # A vocabulary padded past the tokenizer has rows that stand for no token, so for no band.
    tail_types = torch.zeros(vocab_size, device=device)
    tail_types[: panel.reference.vocab_size] = torch.from_numpy(panel.reference.tail_types)
    group_of_window = (panel.document_ids[windows] % groups).to(device)
    logprob, tail_mass, entropy = (torch.empty(len(logits), device=device) for _ in range(3))
    distributions = torch.zeros(groups, vocab_size, device=device)
    for rows, block in float_blocks(logits):
        logprobs = block.log_softmax(1)
        probabilities = logprobs.exp()
        logprob[rows] = logprobs.gather(1, targets[rows, None]).squeeze(1)
        tail_mass[rows] = probabilities @ tail_types
        # Written over what is done with: another copy would cost more than the arithmetic.
        entropy[rows] = torch.special.entr(probabilities, out=logprobs).sum(1)
        distributions.index_add_(0, group_of_window[where[rows, 0]], probabilities)
    check_finite(logprob, where, place_in_panel(panel, windows))
    row = where[:, 0]
    tail, head = (
        band[windows].to(device)[panel.positions[windows].to(device)].float()
        for band in (panel.tail_positions, panel.head_positions)
    )

    def by_window(values: torch.Tensor) -> Floats:
        sums = np.bincount(row.cpu().numpy(), values.cpu().numpy(), len(windows))
        return sums.astype(np.float64)

    scores = {
        "position_logprobs": logprob.cpu().numpy().astype(np.float64),
        "logprob": by_window(logprob),
        "tail_logprob": by_window(logprob * tail),
        "tail_prob": by_window(logprob.exp() * tail),
        "head_logprob": by_window(logprob * head),
        "tail_mass": by_window(tail_mass),
        "entropy": by_window(entropy),
    }
    return scores, distributions


def _check_vocabulary(vocab_size: int, panel: HeldOutPanel) -> None:
    if vocab_size < panel.reference.vocab_size:
        raise TokenizerMismatchError(
            f"the model knows {vocab_size} types, but the human reference counts "
            f"{panel.reference.vocab_size}: give the reference of the model's own tokenizer, or "
            f"resize the model's embeddings to it."
        )
