"""Tail readings as `torchmetrics` metrics, for `self.log` in a LightningModule.

They sum over batches and processes, and hold no text: a validation loop that already computes
logits gets them for the price of a softmax at tail positions.
"""

from typing import Any, Literal

import torch

from collapse_guard.arguments import tensor
from collapse_guard.errors import TokenizerMismatchError, bad_argument
from collapse_guard.extras import require
from collapse_guard.human_text.panel import A_REFERENCE
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.model.inputs import IGNORED_LABEL
from collapse_guard.model.logprobs import check_finite, picked_logprobs

require("torchmetrics", "lightning")

from torchmetrics import Metric  # noqa: E402

Band = Literal["tail", "head"]


def target_logprobs(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Log-probability of each target: what `TailRetention` takes as the start's.

    Args:
        logits: Of shape (rows, tokens, vocabulary), any floating dtype; `logits[:, i]` predicts
            `targets[:, i]`, so for a causal model `logits[:, :-1]` and `input_ids[:, 1:]`.
        targets: int64 of shape (rows, tokens), -100 where nothing is scored.

    Returns:
        float32 of shape (rows, tokens), natural logarithms; 0 where nothing is scored.

    Raises:
        ArgumentError: Shapes that do not fit, or targets past the logits' vocabulary.
        ScoringError: A log-probability that is not finite; row and position are named.

    Example:
        >>> target_logprobs(torch.tensor([[[0.0, -120.0]]]), torch.tensor([[1]]))
        tensor([[-120.]])
    """
    _check(logits, targets)
    scored = targets != IGNORED_LABEL
    logprobs = torch.zeros(targets.shape, device=logits.device)
    logprobs[scored] = _scored(logits, targets, scored)
    return logprobs


class _BandMetric(Metric):
    """What all share: the types of one band, on the device that the metric is on."""

    is_differentiable = False
    full_state_update = False
    higher_is_better = True
    band: Band
    band_types: torch.Tensor

    def __init__(self, reference: HumanReference, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        A_REFERENCE("reference", reference)
        types = {"tail": reference.tail_types, "head": reference.head_types}[self.band]
        # A buffer follows the module to its device; the reference is kept by the user, not by
        # every checkpoint.
        self.register_buffer("band_types", torch.from_numpy(types.copy()), persistent=False)

    def _in_band(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """bool of shape (rows, tokens): the scored tokens of the band."""
        _check(logits, targets)
        known = len(self.band_types)
        # Written as one test for both, since each is a wait for the device. A model that knows
        # fewer types than the reference counts was made with another tokenizer.
        if logits.shape[-1] < known or bool((targets >= known).any()):
            raise TokenizerMismatchError(
                f"the human reference counts {known} types, but the model knows "
                f"{logits.shape[-1]} and the largest target is {int(targets.max())}: give the "
                f"reference of the tokenizer that made the targets."
            )
        return self.band_types[targets.clamp(min=0)] & (targets != IGNORED_LABEL)


class _BandMean(_BandMetric):
    """Sums over the band's tokens.

    The probability and its logarithm are kept by both metrics of a band, so that a
    `MetricCollection` finds their states equal and updates them once.
    """

    logprob_total: torch.Tensor
    prob_total: torch.Tensor
    tokens: torch.Tensor

    def __init__(self, reference: HumanReference, **kwargs: Any) -> None:
        super().__init__(reference, **kwargs)
        self.add_state("logprob_total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("prob_total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("tokens", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, logits: torch.Tensor, targets: torch.Tensor) -> None:
        """Add a batch; shapes and errors as in `target_logprobs`."""
        band = self._in_band(logits, targets)
        logprobs = _scored(logits, targets, band)
        self.logprob_total += logprobs.sum()
        self.prob_total += logprobs.exp().sum()
        self.tokens += band.sum()


class TailLogProbability(_BandMean):
    """Mean log-probability of the tail tokens, in nats: `tail_logprob`.

    `update(logits, targets)` takes what `target_logprobs` takes. `compute()` returns a scalar, NaN
    where there was no tail token, which a batch may lack and a validation set should not.

    Args:
        reference: The human reference of the model's tokenizer.
        kwargs: Of every `torchmetrics.Metric`.

    Example:
        >>> reference = HumanReference.from_token_ids([[0] * 6 + [1] * 3 + [2]], vocab_size=3)
        >>> metric = TailLogProbability(reference)
        >>> metric.update(torch.zeros(1, 2, 4), torch.tensor([[0, 2]]))
        >>> metric.compute()
        tensor(-1.3863)
    """

    band: Band = "tail"

    def compute(self) -> torch.Tensor:
        """The mean over all batches and processes."""
        return self.logprob_total / self.tokens


class HeadLogProbability(TailLogProbability):
    """Mean log-probability of the head tokens, in nats: `head_logprob`; as `TailLogProbability`."""

    band = "head"


class TailProbability(_BandMean):
    """Mean probability of the tail tokens: `tail_prob`; used as `TailLogProbability`."""

    band = "tail"

    def compute(self) -> torch.Tensor:
        """The mean over all batches and processes."""
        return self.prob_total / self.tokens


class TailRetention(_BandMetric):
    """Share of its starting tail probability that a model has kept: `tail_retention`.

    exp of the mean over documents of the mean difference of log-probabilities at tail tokens; 1.0
    kept all, 0.8 lost a fifth. Each row is a document, and rows without a tail token drop out.

    `update(logits, targets, start_logprobs)` takes, beside what `target_logprobs` takes, what that
    gave with the model that the run started from: on the fly from a LoRA model with its adapter
    off, or once before training, kept with the rows. `compute()` returns a scalar, NaN where there
    was no tail token.

    Args:
        reference: The human reference of the model's tokenizer.
        kwargs: Of every `torchmetrics.Metric`.

    Example:
        >>> reference = HumanReference.from_token_ids([[0] * 6 + [1] * 3 + [2]], vocab_size=3)
        >>> targets, start = torch.tensor([[0, 2]]), torch.zeros(1, 2, 3)
        >>> metric = TailRetention(reference)
        >>> now = torch.tensor([[[0.0, 0.0, 0.0], [9.0, 9.0, 0.0]]])
        >>> metric.update(now, targets, target_logprobs(start, targets))
        >>> metric.compute()
        tensor(0.0002)
    """

    band: Band = "tail"
    change_total: torch.Tensor
    documents: torch.Tensor

    def __init__(self, reference: HumanReference, **kwargs: Any) -> None:
        super().__init__(reference, **kwargs)
        self.add_state("change_total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("documents", torch.tensor(0), dist_reduce_fx="sum")

    def update(
        self, logits: torch.Tensor, targets: torch.Tensor, start_logprobs: torch.Tensor
    ) -> None:
        """Add a batch of documents.

        Args:
            logits: As in `target_logprobs`.
            targets: As in `target_logprobs`.
            start_logprobs: float of shape (rows, tokens), of the starting model.

        Raises:
            ArgumentError: Shapes that do not fit, or a start that is not finite at a tail token.
            TokenizerMismatchError: Targets past the reference, or a model smaller than it.
            ScoringError: A log-probability that is not finite.
        """
        _NUMBERS("start_logprobs", start_logprobs)
        band = self._in_band(logits, targets)
        if start_logprobs.shape != targets.shape:
            raise bad_argument(
                "start_logprobs",
                expected=f"shape {tuple(targets.shape)}, that of `targets`",
                given=tuple(start_logprobs.shape),
                hint="give what target_logprobs returned for the same rows",
            )
        start = start_logprobs.to(logits.device)[band].float()
        if not bool(start.isfinite().all()):
            raise bad_argument(
                "start_logprobs",
                expected="finite log-probabilities at tail tokens",
                given="NaN or infinite ones",
                hint="give what target_logprobs returned for the same rows",
            )
        changes = torch.zeros(targets.shape, device=logits.device)
        changes[band] = _scored(logits, targets, band) - start
        counts = band.sum(1)
        self.change_total += (changes.sum(1) / counts.clamp(min=1)).sum()
        self.documents += (counts > 0).sum()

    def compute(self) -> torch.Tensor:
        """The share over all batches and processes."""
        return torch.exp(self.change_total / self.documents)


class HeadRetention(TailRetention):
    """Share of its starting head probability that a model has kept; as `TailRetention`."""

    band = "head"


def _scored(logits: torch.Tensor, targets: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    logprobs = picked_logprobs(logits.detach()[positions], targets[positions])
    check_finite(logprobs, positions.nonzero())
    return logprobs


_NUMBERS = tensor(of="numbers", expected="a tensor", hint="give the model's logits, and ids")


def _check(logits: torch.Tensor, targets: torch.Tensor) -> None:
    _NUMBERS("logits", logits)
    _NUMBERS("targets", targets)
    if logits.ndim != 3 or targets.shape != logits.shape[:2] or not logits.is_floating_point():
        raise bad_argument(
            "logits",
            expected="shape (rows, tokens, vocabulary), and targets of shape (rows, tokens)",
            given=f"{tuple(logits.shape)} and {tuple(targets.shape)}",
            hint="for a causal model give logits[:, :-1] and input_ids[:, 1:]",
        )
    wrong = (targets >= logits.shape[-1]) | ((targets < 0) & (targets != IGNORED_LABEL))
    if targets.is_floating_point() or bool(wrong.any()):
        raise bad_argument(
            "targets",
            expected=f"token ids from 0 to {logits.shape[-1] - 1}, or {IGNORED_LABEL}",
            given=targets[wrong][0].item() if bool(wrong.any()) else targets.dtype,
            hint="give the tokenizer's ids, and logits of the model's own vocabulary",
        )
