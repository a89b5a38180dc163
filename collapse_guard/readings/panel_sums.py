"""What one look at a panel yields: numbers per position and window, of which readings are made."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.distributed import largest, num_processes, summed, work_through
from collapse_guard.errors import TokenizerMismatchError
from collapse_guard.model.forward import in_batches, input_embeddings, logits_at
from collapse_guard.model.kept_state import kept_state
from collapse_guard.model.logprobs import (
    check_finite,
    float_blocks,
    next_token_logits,
    picked_logprobs,
)
from collapse_guard.readings.model_check import check_model
from collapse_guard.readings.own_logprobs import own_logprobs
from collapse_guard.readings.panel import Panel, ScoresItself, check_same_on_all
from collapse_guard.readings.panel_logprobs import place_in_panel

Floats = npt.NDArray[np.float64]

_PER_WINDOW = ("logprob", "tail_logprob", "tail_prob", "head_logprob", "tail_mass", "entropy")

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
        tail_mass: float64 of shape (windows,), the probability put on all tail types together; NaN,
            as are `entropy` and the one column of `group_distributions`, where the panel scores
            itself.
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


@dataclass(frozen=True, eq=False)
class BandSums:
    """What the cheap readings are made of: the sums of `PanelScores` over head and tail alone.

    Attributes:
        tail_logprob: float64 of shape (windows,), natural logarithms.
        tail_prob: float64 of shape (windows,), probabilities.
        head_logprob: As `tail_logprob`.
    """

    tail_logprob: Floats
    tail_prob: Floats
    head_logprob: Floats


@dataclass(frozen=True, eq=False)
class BandDocuments:
    """Sums over the head and tail positions of each document.

    Attributes:
        tail_logprob: float64 of shape (documents,), natural logarithms; in place of those of one
            model it may be how far they have moved from those of another.
        tail_prob: As `tail_logprob`, probabilities.
        head_logprob: As `tail_logprob`.
        tail: float64 of shape (documents,), tail positions.
        head: float64 of shape (documents,), head positions.
        weights: float64 of shape (documents,), from 0 to 1: how much each document counts where
            each is to count alike.
    """

    tail_logprob: Floats
    tail_prob: Floats
    head_logprob: Floats
    tail: Floats
    head: Floats
    weights: Floats

    @classmethod
    def of(cls, panel: Panel, sums: BandSums, freshness: Floats | None = None) -> "BandDocuments":
        """The sums of each document, from those of its windows.

        Args:
            panel: The held-out data.
            sums: Of each window.
            freshness: float64 of shape (windows,), from 0 to 1: how much each window counts; None
                for 1.
        """
        owners = panel.document_ids.numpy()
        freshness = np.ones(len(owners)) if freshness is None else freshness
        counts = panel.position_counts

        def by_document(per_window: Floats | float) -> Floats:
            sums = np.bincount(owners, weights=per_window * freshness)
            return sums.astype(np.float64, copy=False)

        return cls(
            tail_logprob=by_document(sums.tail_logprob),
            tail_prob=by_document(sums.tail_prob),
            head_logprob=by_document(sums.head_logprob),
            tail=by_document(counts["tail"]),
            head=by_document(counts["head"]),
            weights=by_document(1.0) / np.bincount(owners),
        )


def score_panel(
    model: torch.nn.Module,
    panel: Panel,
    *,
    batch_size: int = 16,
    across_processes: bool = False,
) -> PanelScores:
    """Run a model over a panel, without leaving a trace in it.

    A model that has not been looked at before is tried first, at the price of one small forward
    pass: it must be causal.

    Args:
        model: A causal language model, or what the panel scores itself with.
        panel: The held-out text.
        batch_size: Windows per forward pass, at least 1.
        across_processes: Whether the processes of a distributed run share the windows out among
            them and add up what they got. All of them must call this then, and all get the same.

    Raises:
        TokenizerMismatchError: The model's vocabulary is smaller than the reference's.
        ScoringError: As in `next_token_logits`, or a log-probability that is not finite; the
            message names document, window and position.
        ArgumentError: The panel's windows are longer than the model's positions, or the processes
            hold different panels.
        PeerError: It was another process that failed.
    """
    positions = panel.position_counts["all"].astype(np.int64)
    ends = np.cumsum(positions)
    groups = min(DOCUMENT_GROUPS, panel.num_documents)
    per_window = {name: np.zeros(len(panel)) for name in _PER_WINDOW}
    position_logprobs = np.zeros(int(positions.sum()))
    group_distributions = np.zeros((groups, 1))

    def score(windows: torch.Tensor, counts: bool) -> None:
        nonlocal group_distributions
        part, distributions = _score_windows(model, panel, windows, groups)
        if not counts:
            return
        first, last = int(windows[0]), int(windows[-1])
        position_logprobs[ends[first] - positions[first] : ends[last]] = part.pop(
            "position_logprobs"
        )
        for name, values in part.items():
            per_window[name][windows.numpy()] = values
        # Added up as they come: one for each batch would be gigabytes for a large vocabulary.
        group_distributions = group_distributions + distributions.cpu().numpy()

    if across_processes:
        check_same_on_all(panel)
    if not isinstance(panel, ScoresItself):
        _check_embeddings(model, panel)
        check_model(model, panel, batch_size=batch_size, across_processes=across_processes)
    processes = num_processes() if across_processes else 1
    batches = _batches(model, panel, torch.arange(len(panel)), batch_size, processes)
    with kept_state(model):
        work_through(batches, score, across_processes=across_processes)
    if across_processes:
        per_window = {name: summed(values) for name, values in per_window.items()}
        position_logprobs = summed(position_logprobs)
        group_distributions = _summed_distributions(group_distributions)
    return PanelScores(position_logprobs, **per_window, group_distributions=group_distributions)


def score_bands(
    model: torch.nn.Module,
    panel: Panel,
    windows: torch.Tensor,
    *,
    batch_size: int = 16,
    across_processes: bool = False,
) -> BandSums:
    """Look at the head and tail tokens of some windows: a fraction of a look at the panel.

    Args:
        model: As in `score_panel`.
        panel: As in `score_panel`.
        windows: int64 of shape (chosen windows,), on the CPU, at least one.
        batch_size: As in `score_panel`.
        across_processes: As in `score_panel`.

    Returns:
        Sums of shape (chosen windows,), in the order of `windows`.

    Raises:
        TokenizerMismatchError: As in `score_panel`.
        ScoringError: As in `score_panel`.
        PeerError: As in `score_panel`.
    """
    sums = np.zeros((3, len(windows)))

    def score(places: torch.Tensor, counts: bool) -> None:
        part = _score_bands(model, panel, windows[places])
        if counts:
            sums[:, places.numpy()] = part

    _check_embeddings(model, panel)
    processes = num_processes() if across_processes else 1
    batches = _batches(model, panel, torch.arange(len(windows)), batch_size, processes)
    if processes == 1:
        for batch in batches:
            score(batch, True)
        return BandSums(*sums)
    work_through(batches, score, across_processes=True)
    return BandSums(*summed(sums))


def _batches(
    model: torch.nn.Module,
    panel: Panel,
    items: torch.Tensor,
    batch_size: int,
    processes: int,
) -> tuple[torch.Tensor, ...]:
    most = min(batch_size, -(-len(items) // processes))
    if isinstance(panel, ScoresItself):
        return torch.split(items, most)
    tokens = panel.input_ids.shape[1]
    return in_batches(model, items, tokens=tokens, vocab_size=panel.vocab_size, most=most)


def _summed_distributions(group_distributions: Floats) -> Floats:
    """The sum over processes, of which one may have had no windows and so no vocabulary."""
    (vocab_size,) = largest([group_distributions.shape[1]])
    padded = np.zeros((len(group_distributions), int(vocab_size)))
    padded += group_distributions if group_distributions.shape[1] == int(vocab_size) else 0.0
    return summed(padded)


def _score_bands(model: torch.nn.Module, panel: Panel, windows: torch.Tensor) -> Floats:
    tail, head = panel.tail_positions[windows], panel.head_positions[windows]
    banded = tail | head
    if not banded.any():
        # Nothing to read in these windows; the model is called all the same (see `work_through`).
        banded = panel.positions[windows]
    where = banded.nonzero()
    logprob = _logprobs(model, panel, windows, banded)
    check_finite(logprob, where, partial(place_in_panel, panel, windows))
    values, row = logprob.cpu().numpy().astype(np.float64), where[:, 0].numpy()
    in_tail, in_head = tail[banded].numpy(), head[banded].numpy()
    weights = (values * in_tail, np.exp(values) * in_tail, values * in_head)
    return np.stack([np.bincount(row, each, len(windows)) for each in weights])


def _logprobs(
    model: torch.nn.Module, panel: Panel, windows: torch.Tensor, at: torch.Tensor
) -> torch.Tensor:
    if isinstance(panel, ScoresItself):
        return own_logprobs(model, panel, windows, at)
    ids = panel.input_ids[windows]
    # A panel's windows are in order: what `next_token_logits` would check is known of them.
    logits = logits_at(model, ids, at)
    _check_vocabulary(logits.shape[-1], panel)
    return picked_logprobs(logits, ids[at].to(logits.device))


def _predicted(
    model: torch.nn.Module, panel: Panel, windows: torch.Tensor, groups: int
) -> tuple[torch.Tensor, ...]:
    """At each position log-probability, mass on tail types, entropy; and distributions by group."""
    if isinstance(panel, ScoresItself):
        logprob = own_logprobs(model, panel, windows, panel.positions[windows])
        unknown = torch.full_like(logprob, torch.nan)
        return logprob, unknown, unknown, torch.full((groups, 1), torch.nan)
    logits, targets, where = next_token_logits(
        model, panel.input_ids[windows], panel.positions[windows]
    )
    vocab_size = logits.shape[-1]
    _check_vocabulary(vocab_size, panel)
    device = logits.device
    # A vocabulary padded past the tokenizer has rows that stand for no token, so for no band.
    tail_types = torch.zeros(vocab_size, device=device)
    tail_types[: panel.vocab_size] = torch.from_numpy(panel.tail_types)
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
    return logprob, tail_mass, entropy, distributions


def _score_windows(
    model: torch.nn.Module, panel: Panel, windows: torch.Tensor, groups: int
) -> tuple[dict[str, Floats], torch.Tensor]:
    logprob, tail_mass, entropy, distributions = _predicted(model, panel, windows, groups)
    at = panel.positions[windows]
    where = at.nonzero()
    check_finite(logprob, where, partial(place_in_panel, panel, windows))
    row, bands = where[:, 0].numpy(), (panel.tail_positions, panel.head_positions)
    tail, head = (band[windows][at].to(logprob.device).float() for band in bands)

    def by_window(values: torch.Tensor) -> Floats:
        sums = np.bincount(row, values.cpu().numpy(), len(windows))
        return sums.astype(np.float64)

    return {
        "position_logprobs": logprob.cpu().numpy().astype(np.float64),
        "logprob": by_window(logprob),
        "tail_logprob": by_window(logprob * tail),
        "tail_prob": by_window(logprob.exp() * tail),
        "head_logprob": by_window(logprob * head),
        "tail_mass": by_window(tail_mass),
        "entropy": by_window(entropy),
    }, distributions


def _check_embeddings(model: torch.nn.Module, panel: Panel) -> None:
    embeddings = None if isinstance(panel, ScoresItself) else input_embeddings(model)
    if embeddings is not None:
        # Before the first look-up: past the last row a GPU fails in a way that ends the process.
        _check_vocabulary(embeddings.num_embeddings, panel)


def _check_vocabulary(vocab_size: int, panel: Panel) -> None:
    if vocab_size < panel.vocab_size:
        raise TokenizerMismatchError(
            f"the model knows {vocab_size} types, but the human reference counts "
            f"{panel.vocab_size}: give the reference of the model's own tokenizer, or "
            f"resize the model's embeddings to it."
        )
