"""The sampler-matched loss in the place of a transformers model's own."""

from collections.abc import Callable
from typing import Any, Self

import torch
from torch.nn import functional as F

from collapse_guard.errors import bad_argument
from collapse_guard.integrations.matching.seen_marks import SeenMarks
from collapse_guard.model.inputs import IGNORED_LABEL
from collapse_guard.model.marked_labels import are_marked, mark_labels, unmark_labels
from collapse_guard.model.matched_loss import SamplerMatchedLoss


class MatchedCausalLoss:
    """What a model calls as its `loss_function`: its own loss, until a label is marked.

    Copies of a model share it, so that they are matched for as long as the model itself is.

    Args:
        own: The model's own loss function, `ForCausalLMLoss` of transformers.
        loss: What takes its place for batches with marked labels.
        seen: Told of the labels of every batch.
        all_drawn: Whether every label that the model is trained on is of a token that was drawn
            with the loss's first decoding, though none is marked.

    Attributes:
        own: As given.
        loss: As given.
        seen: As given.
        all_drawn: As given.
        is_on: Whether marks are looked for; the model's own loss is called where not.
        is_training: Whether the model was in training mode when it was last called.
        match: What takes it off again; None while it is being put in place.
    """

    def __init__(
        self,
        own: Callable[..., torch.Tensor],
        loss: SamplerMatchedLoss,
        seen: SeenMarks,
        *,
        all_drawn: bool = False,
    ) -> None:
        self.own, self.loss, self.seen, self.all_drawn = own, loss, seen, all_drawn
        self.is_on, self.is_training = True, False
        self.match: object | None = None

    def note_mode(self, module: torch.nn.Module, *_: object) -> None:
        """Note whether a model trains; a hook before each forward pass of its backbone.

        Copies of a model share this loss, which is not told which of them calls it.
        """
        self.is_training = module.training

    def marked(
        self, labels: torch.Tensor, *, is_training: bool, ignored: int = IGNORED_LABEL
    ) -> torch.Tensor | None:
        """The labels of a batch, marked; None where no label is, and the model's own loss serves.

        Args:
            labels: int64 of any shape.
            is_training: Whether the model that they are of is in training mode.
            ignored: The label of tokens that do not count.

        Raises:
            ArgumentError: They are marked already, where all tokens count as drawn.
        """
        if self.all_drawn:
            if are_marked(labels):
                raise bad_argument(
                    "labels",
                    expected='labels without marks, as drawn="all" has it',
                    given="labels of which some say themselves how they were drawn",
                    hint="call match_sampler(trainer, mix) with the mix that marks them",
                )
            if self.loss.decodings[0].is_plain:
                return None
            if is_training:
                labels = mark_labels(labels.masked_fill(labels == ignored, IGNORED_LABEL), 1)
        return labels if self.seen.in_batch(labels) else None

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
        marked = None
        if self.is_on and given is not None:
            marked = self.marked(given, is_training=self.is_training, ignored=ignore_index)
        if marked is None:
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
            marked = F.pad(marked, (0, 1), value=ignore_index)[..., 1:]
        if ignore_index != IGNORED_LABEL:
            ignored = unmark_labels(marked)[0] == ignore_index
            marked = marked.masked_fill(ignored, IGNORED_LABEL)
        rows = logits.float().view(-1, vocab_size)
        if isinstance(num_items_in_batch, torch.Tensor):
            num_items_in_batch = num_items_in_batch.to(rows.device)
        labels = marked.reshape(-1).to(rows.device)
        return self.loss(rows, labels, num_items=num_items_in_batch)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __getstate__(self) -> dict[str, Any]:
        # In another process nobody has anything to take off.
        return {**vars(self), "match": None}
