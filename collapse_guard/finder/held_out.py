"""The held-out human text that trials are judged on: the same windows after each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.errors import PanelError
from collapse_guard.human_text.documents import Document, document_blocks
from collapse_guard.human_text.overlap import find_overlaps
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.human_text.repeats import LEAK_SHARE, SHINGLE_BITS, first_copies
from collapse_guard.human_text.texts import check_documents
from collapse_guard.human_text.windows import spread
from collapse_guard.model.logprobs import token_logprobs
from collapse_guard.statistics.estimates import Estimate, ratio

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Windows of human documents.

    Attributes:
        input_ids: int64 of shape (windows, tokens), 0 on padding, which stands on the right.
        is_text: bool of shape (windows, tokens), False on padding.
        positions: bool of shape (windows, tokens), the positions whose token is predicted.
        document_ids: int64 of shape (windows,), rising from 0: the document of each window.
    """

    input_ids: torch.Tensor
    is_text: torch.Tensor
    positions: torch.Tensor
    document_ids: Ids

    @property
    def num_documents(self) -> int:
        """How many documents the windows are from."""
        return int(self.document_ids[-1]) + 1

    def windows(self) -> list[Ids]:
        """The tokens of each window."""
        rows = zip(self.input_ids.numpy(), self.is_text.numpy(), strict=True)
        return [ids[is_text] for ids, is_text in rows]

    def documents(self) -> list[Ids]:
        """The windows of each document, joined."""
        starts = np.flatnonzero(np.diff(self.document_ids)) + 1
        windows = self.windows()
        edges = [0, *starts.tolist(), len(windows)]
        return [np.concatenate(windows[first:last]) for first, last in pairwise(edges)]

    def losses(self, model: torch.nn.Module, *, batch_size: int) -> Floats:
        """Summed negative log-likelihood of each document's tokens, in nats.

        Args:
            model: A causal language model, which is left as it is.
            batch_size: Windows of a forward pass.

        Returns:
            float64 of shape (documents,).

        Raises:
            ArgumentError: Windows that are longer than the model can read.
            TokenizerMismatchError: Token ids past the model's vocabulary.
            ScoringError: The model is not causal, or gives nothing finite.
        """
        sums = np.zeros(len(self.input_ids))
        for first in range(0, len(sums), batch_size):
            rows = slice(first, first + batch_size)
            positions = self.positions[rows]
            logprobs = token_logprobs(
                model, self.input_ids[rows], positions, attention_mask=self.is_text[rows]
            )
            windows = positions.nonzero()[:, 0].numpy()
            weights = -logprobs.cpu().numpy().astype(np.float64)
            sums[rows] = np.bincount(windows, weights=weights, minlength=len(positions))
        return self._by_document(sums)

    def mean(self, losses: Floats) -> Estimate:
        """Mean over tokens of what `losses` gives, with its error over documents."""
        return ratio(losses, self._by_document(self.positions.sum(1).double().numpy()))

    def _by_document(self, per_window: Floats) -> Floats:
        return np.bincount(self.document_ids, weights=per_window).astype(np.float64, copy=False)


def hold_out(
    human: Sequence[Document] | HeldOutPanel, *, window: int, max_windows: int | None
) -> HeldOut:
    """Cut human documents into windows; a panel has been cut already.

    Args:
        human: Documents as token ids, of at least 2 tokens each, or a panel.
        window: Most tokens of a window, at least 2.
        max_windows: Keep at most so many windows, spread over the documents; None for all.

    Raises:
        ArgumentError: It is neither.
        PanelError: There are fewer than 2 documents with something to predict.
    """
    held = _of_panel(human) if isinstance(human, HeldOutPanel) else _of_documents(human, window)
    if held is None or held.num_documents < 2:
        raise PanelError(
            "`held_out` has fewer than 2 different documents of at least 2 tokens: what a trial is "
            "worth is told by how documents differ; give more, or split long ones at their "
            "natural borders."
        )
    if max_windows is None or len(held.input_ids) <= max_windows:
        return held
    kept = spread(np.bincount(held.document_ids), max_windows)
    _, owners = np.unique(held.document_ids[kept], return_inverse=True)
    return HeldOut(held.input_ids[kept], held.is_text[kept], held.positions[kept], owners)


def refuse_panel(held: HeldOut, judge: HeldOutPanel) -> None:
    """Refuse human documents that share text with the panel which the run is judged by.

    Raises:
        PanelError: A window of either stands in the other's documents.
    """
    theirs = _of_panel(judge)
    _refuse_shared(held, "judge", theirs.documents(), theirs.windows())


def refuse_trained(held: HeldOut, rows: Sequence[Ids]) -> None:
    """Refuse human documents that stand in the rows which trials train on.

    Args:
        held: The human documents.
        rows: Tokens of each row.

    Raises:
        PanelError: A window stands there.
    """
    _refuse_shared(held, "rows", rows, [])


def _refuse_shared(
    held: HeldOut, argument: str, corpus: Sequence[Ids], windows: Sequence[Ids]
) -> None:
    """Look up our windows in other text, and other windows in ours."""
    ours = held.windows()
    counts = np.unique(np.concatenate(ours), return_counts=True)[1]
    entropy = float(np.log2(counts.sum()) - counts @ np.log2(counts) / counts.sum())
    longest = min(max(map(len, ours)), max(map(len, corpus)))
    shingle = max(min(math.ceil(SHINGLE_BITS / max(entropy, 1.0)), longest), 1)
    found = find_overlaps(ours, corpus, shingle=shingle)
    found += find_overlaps(windows, held.documents(), shingle=shingle)
    leaks = sum(each.share >= LEAK_SHARE for each in found)
    if leaks:
        raise PanelError(
            f"`held_out` and `{argument}` share text ({leaks} of {len(found)} windows stand in the "
            f"other): a sampler is to be chosen on human text that neither trains the run nor "
            f"judges it; give other held-out documents of the same domain."
        )


def _of_panel(panel: HeldOutPanel) -> HeldOut:
    order = panel.document_ids.argsort(stable=True)
    ids = panel.input_ids[order]
    owners = panel.document_ids[order].numpy()
    return HeldOut(ids, torch.ones_like(ids, dtype=torch.bool), panel.positions[order], owners)


def _of_documents(documents: Sequence[Document], window: int) -> HeldOut | None:
    check_documents("held_out", documents)
    ids = [each for block in document_blocks(documents) for each in block.split()]
    long = {number: each for number, each in enumerate(ids) if len(each) >= 2}
    different = first_copies(long, {number: each.tobytes() for number, each in long.items()})
    windows = [
        (number, each[first : first + window])
        for number, each in enumerate(different.values())
        for first in range(0, len(each) - 1, window)
    ]
    if not windows:
        return None
    lengths = np.array([len(each) for _, each in windows])
    is_text = np.arange(lengths.max()) < lengths[:, None]
    tokens = np.zeros(is_text.shape, np.int64)
    tokens[is_text] = np.concatenate([each for _, each in windows])
    positions = is_text.copy()
    positions[:, 0] = False
    owners = np.array([number for number, _ in windows])
    input_ids, text, predicted = map(torch.from_numpy, (tokens, is_text, positions))
    return HeldOut(input_ids, text, predicted, owners)
