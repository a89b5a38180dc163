"""The sampler-matched loss in the place of a transformers model's own."""

from collections.abc import Callable
from typing import Any, Self

import torch
from torch.nn import functional as F

from collapse_guard.integrations.matching.seen_marks import SeenMarks
from collapse_guard.model.inputs import IGNORED_LABEL
from collapse_guard.model.marked_labels import unmark_labels
from collapse_guard.model.matched_loss import SamplerMatchedLoss


class MatchedCausalLoss:
    """What a model calls as its `loss_function`: its own loss, until a label is marked.

    Copies of a model share it, so that they are matched for as long as the model itself is.

    Args:
        own: The model's own loss function, `ForCausalLMLoss` of transformers.
        loss: What takes its place for batches with marked labels.
        seen: Told of the labels of every batch.

    Attributes:
        own: As given.
        loss: As given.
        seen: As given.
        is_on: Whether marks are looked for; the model's own loss is called where not.
    """

    def __init__(
        self, own: Callable[..., torch.Tensor], loss: SamplerMatchedLoss, seen: SeenMarks
    ) -> None:
        self.own, self.loss, self.seen = own, loss, seen
        self.is_on = True

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def __call__(
        self,
        logits: torch.Tensor,
        labels: torch.Tensor | None,
        vocab_size: int,
        num_items_in_batch: torch.Tensor | float | None = None,
        ignore_index: int = IGNORED_LABEL,
        shift_labels: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """The loss of a batch, as `ForCausalLMLoss` of transformers takes it.

        Args:
            logits: Of shape (rows, tokens, vocabulary), any floating dtype; they are taken in
                float32.
            labels: int64 of shape (rows, tokens), marked or not, the tokens that were read; not
                looked at where `shift_labels` are given.
            vocab_size: Types of the vocabulary.
            num_items_in_batch: Divides the sum of all terms in place of their number.
            ignore_index: The label of tokens that do not count.
            shift_labels: int64 of shape (rows, tokens), the tokens that the logits are to predict.
            kwargs: What else models hand on; only their own loss may know what it means.
        """
        given = labels if shift_labels is None else shift_labels
        if not self.is_on or given is None or not self.seen.in_batch(given):
            return self.own(
                logits=logits,
                labels=labels,
                vocab_size=vocab_size,
                num_items_in_batch=num_items_in_batch,
                ignore_index=ignore_index,
                shift_labels=shift_labels,
                **kwargs,
            )
        if shift_labels is None:
            shift_labels = F.pad(given, (0, 1), value=ignore_index)[..., 1:]
        if ignore_index != IGNORED_LABEL:
            ignored = unmark_labels(shift_labels)[0] == ignore_index
            shift_labels = shift_labels.masked_fill(ignored, IGNORED_LABEL)
        rows = logits.float().view(-1, vocab_size)
        if isinstance(num_items_in_batch, torch.Tensor):
            num_items_in_batch = num_items_in_batch.to(rows.device)
        labels = shift_labels.reshape(-1).to(rows.device)
        return self.loss(rows, labels, num_items=num_items_in_batch)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self
