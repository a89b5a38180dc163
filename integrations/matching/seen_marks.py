"""Whether any label has said so far how its token was drawn."""

import logging

import torch

from collapse_guard.model.marked_labels import are_marked

BATCHES = 50
"""How many training batches may go by without a mark before that is reported."""

_NO_MARKS = (
    "in %d training batches no label said how its token was drawn, so match_sampler has had "
    "nothing to match, and the loss was the plain one. Give the sources of a MixGuard their "
    "`decoding`, and take a collator that keeps `labels`."
)
_NO_TRAINING = (
    "in %d batches with gradients the model was in evaluation mode, or no label counted, so "
    "match_sampler has had nothing to match, and the loss was the plain one. Call model.train()."
)

logger = logging.getLogger("collapse_guard")


class SeenMarks:
    """Looks at the labels of each batch, and warns once where training goes by without marks.

    Marks are lost where a data set is tokenized anew, or where a collator makes its own labels; and
    where every label that is trained on gets one, none does in evaluation mode.

    Args:
        marks_all: Whether every label gets one in training mode.
    """

    def __init__(self, *, marks_all: bool = False) -> None:
        self._left = BATCHES
        self._why = _NO_TRAINING if marks_all else _NO_MARKS

    # A compiler would be asked to compile this anew with each batch that is counted.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def in_batch(self, labels: torch.Tensor) -> bool:
        """Whether any label of a batch is marked.

        Args:
            labels: int64 of any shape. They count as a training batch where gradients are on.
        """
        marked = are_marked(labels)
        if marked:
            self._left = 0
        elif self._left and torch.is_grad_enabled():
            self._left -= 1
            if not self._left:
                logger.warning(self._why, BATCHES)
        return marked
