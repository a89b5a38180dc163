"""Sampler-matched cross-entropy: each token is scored under the law that it was drawn from."""

from collections.abc import Sequence
from typing import Literal, Protocol

import torch
from torch.nn import functional as F

from collapse_guard.arguments import MOST, flag, listed, number as number_of, tensor, understood
from collapse_guard.errors import bad_argument
from collapse_guard.model.decoding import Decoding, check_matchable
from collapse_guard.model.inputs import IDS, IGNORED_LABEL
from collapse_guard.model.marked_labels import unmark_labels
from collapse_guard.model.sampled_logprob import Drawn, check_labels, terms

_NUM_ITEMS = "give the Trainer's num_items_in_batch"
_A_TENSOR = tensor(of="numbers", expected="a number or a tensor", hint=_NUM_ITEMS)


def sampler_matched_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    decodings: Sequence[Decoding],
    drawn_with: torch.Tensor,
    *,
    reduction: Literal["mean", "sum", "none"] = "mean",
    num_items: float | torch.Tensor | None = None,
    scale_by_temperature: bool = False,
) -> torch.Tensor:
    """Cross-entropy that puts the sampler between logits and loss, for the tokens that it drew.

    A token that was drawn from softmax(cut(z / T)) and is trained on as if it had been drawn from
    softmax(z) teaches the model the sharpened law, and its own next text is sharpened once more.
    Here its term is the negative log-probability under the law that it really follows (see
    `sampled_logprob`), so that the gradient at the generator's own weights vanishes in
    expectation. For human tokens, and for all that nobody drew (prompts, an end-of-sequence token
    that was appended), the term is plain cross-entropy.

    Terms and gradients of plain tokens are those of `F.cross_entropy` bit for bit, and so is the
    whole loss where no token is matched. (On a GPU, among matched tokens, rounding differs where a
    row of logits is no multiple of 16 bytes: torch's kernel adds in another order there.)

    Args:
        logits: Of shape (..., V), any floating dtype. Terms of matched tokens are computed in
            float32 (float64 for float64).
        labels: int64 of shape (...), the token that each row of logits is to predict, -100 where
            none is. Nothing is shifted here, as in `F.cross_entropy`.
        decodings: How matched tokens were drawn.
        drawn_with: Integers of shape (...): 0 for plain tokens, i for those that were drawn with
            `decodings[i - 1]`. What it says where the label is -100 does not matter.
        reduction: "mean" over the labels that are not -100, "sum", or "none", which gives a term
            for each label, 0 where it is -100.
        num_items: Divides the sum in place of the number of labels, in a mean only: the Hugging
            Face Trainer's `num_items_in_batch`, which counts what is accumulated too.
        scale_by_temperature: Multiply the terms of tokens drawn at temperature T by T. The
            likelihood's own gradient by the logits has a factor 1/T: a token of T = 0.5 pulls
            twice as hard as a human one. That is the weight which it has in the likelihood of all
            tokens together, and the default; with the factor taken out all pull alike. Both
            vanish at the generator's own weights, and neither learnt more in a measurement
            (tests/benchmarks/RESULTS.md).

    Returns:
        The loss, in the dtype of the logits; under autocast, which takes cross-entropy in float32,
        in float32. For "none" float32 or float64 terms of the labels' shape.

    Raises:
        ArgumentError: Shapes that do not fit, an index without a decoding, or a decoding that is
            greedy or nearly so.

    Example:
        A loop of one's own, with a human row and one that was written at temperature 0.8:

        >>> rows = torch.tensor([[5, 1, 4, 2], [5, 3, 3, 0]])
        >>> logits = torch.randn(2, 4, 6, requires_grad=True)  # what a model makes of them
        >>> written = torch.tensor([[0], [1]]).expand(2, 3)
        >>> loss = sampler_matched_loss(
        ...     logits[:, :-1], rows[:, 1:], [Decoding(temperature=0.8)], written
        ... )
        >>> loss.backward()
    """
    _check(labels, decodings, drawn_with, num_items, reduction)
    flag(hint="leave it out")("scale_by_temperature", scale_by_temperature)
    check_labels(logits, labels)
    if torch.is_autocast_enabled(logits.device.type):
        # What autocast does with the logits that cross-entropy takes; it does not see our own.
        logits = logits.float()
    rows, tokens = logits.reshape(-1, logits.shape[-1]), labels.reshape(-1)
    groups = _groups(tokens, decodings, drawn_with.reshape(-1))
    if len(groups) == 1 and reduction != "none":
        return _plain(rows, tokens, reduction, num_items)
    each = terms(rows, tokens, groups)
    if scale_by_temperature:
        each = each * _temperatures(each, groups)
    if reduction == "none":
        return each.view(labels.shape)
    total = each.sum().to(rows.dtype)
    if reduction == "sum":
        return total
    if num_items is None:
        # In the dtype of the sum, as torch counts them, so that gradients are its own.
        num_items = (tokens != IGNORED_LABEL).sum().to(rows.dtype)
    return total / num_items


class Marking(Protocol):
    """What marks labels, and knows what its marks mean: a `MixGuard`, for example."""

    @property
    def decodings(self) -> Sequence[Decoding]:
        """How marked tokens were drawn: the one marked i with the i-th of these, from 1."""

    def count_losses(self, change: int) -> None:
        """Keep count of the losses that know what the marks mean: one more, or one fewer."""


class SamplerMatchedLoss:
    """The sampler-matched loss of labels that say themselves how each token was drawn.

    `MixGuard` and `MixStream` mark the labels of sources with a `decoding`. For a trainer take
    `collapse_guard.integrations.match_sampler`, which puts this in place of the model's own loss;
    call it where a loop, or a Lightning module, computes its loss by itself.

    Args:
        decodings: What the marks mean, or a mixed stream that knows.
        scale_by_temperature: As of `sampler_matched_loss`.

    Attributes:
        decodings: How marked tokens were drawn: the one marked i with the i-th of these, from 1.

    Raises:
        ArgumentError: A decoding that is greedy or nearly so, or is still to be found.

    Example:
        >>> from collapse_guard import MixGuard, Source
        >>> human = [{"input_ids": [5, 1, 4, 2]}, {"input_ids": [5, 0, 4, 1]}]
        >>> written = Source([{"input_ids": [5, 3, 3, 0]}], "old model", "synthetic",
        ...     decoding=Decoding(temperature=0.8))
        >>> mix = MixGuard(human, written, human_fraction=0.5, block_size=2)
        >>> loss_of = SamplerMatchedLoss(mix)
        >>> labels = torch.tensor([mix[slot]["labels"] for slot in range(2)])
        >>> logits = torch.randn(2, 4, 6, requires_grad=True)  # what a model makes of the rows
        >>> loss = loss_of(logits[:, :-1], labels[:, 1:])
        >>> loss.backward()
    """

    def __init__(
        self, decodings: Sequence[Decoding] | Marking, *, scale_by_temperature: bool = False
    ) -> None:
        mix = None if isinstance(decodings, Sequence) else decodings
        wanted = {
            "expected": "a list of decodings, or a mixed stream that knows them",
            "hint": "give the MixGuard whose rows are trained on, or [Decoding(0.8)]",
        }
        with understood("decodings", decodings, **wanted):
            known = decodings if isinstance(decodings, Sequence) else decodings.decodings
            self.decodings = tuple(listed("decodings", known, **wanted))
        if mix is not None and not callable(getattr(mix, "count_losses", None)):
            raise bad_argument("decodings", given=decodings, **wanted)
        flag(hint="leave it out")("scale_by_temperature", scale_by_temperature)
        for number, decoding in enumerate(self.decodings):
            check_matchable(decoding, f"decodings[{number}]")
        self.scale_by_temperature = scale_by_temperature
        self._mix = mix
        if mix is not None:
            mix.count_losses(1)

    def release(self) -> None:
        """Say that this loss is taken no more: a mix then refuses to be trained on without one."""
        mix, self._mix = self._mix, None
        if mix is not None:
            mix.count_losses(-1)

    def __call__(
        self,
        logits: torch.Tensor,
        labels: torch.Tensor,
        *,
        reduction: Literal["mean", "sum", "none"] = "mean",
        num_items: float | torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The loss, as `sampler_matched_loss` says it.

        Args:
            logits: Of shape (..., V), any floating dtype.
            labels: int64 of shape (...), marked, the token that each row of logits is to predict.
            reduction: "mean", "sum" or "none".
            num_items: Divides the sum in place of the number of labels, in a mean only.
        """
        tokens, drawn_with = unmark_labels(labels)
        return sampler_matched_loss(
            logits,
            tokens,
            self.decodings,
            drawn_with,
            reduction=reduction,
            num_items=num_items,
            scale_by_temperature=self.scale_by_temperature,
        )


def _check(
    labels: torch.Tensor,
    decodings: Sequence[Decoding],
    drawn_with: torch.Tensor,
    num_items: float | torch.Tensor | None,
    reduction: str,
) -> None:
    for name, given in (("labels", labels), ("drawn_with", drawn_with)):
        if not isinstance(given, torch.Tensor) or given.is_meta or given.layout != torch.strided:
            IDS(name, given)
    for number, decoding in enumerate(_listed(decodings)):
        check_matchable(decoding, f"decodings[{number}]")
    if drawn_with.shape != labels.shape or drawn_with.is_floating_point():
        raise bad_argument(
            "drawn_with",
            expected=f"integers of shape {tuple(labels.shape)}, that of `labels`",
            given=f"{drawn_with.dtype} of shape {tuple(drawn_with.shape)}",
            hint="give 0 for human tokens and i for those drawn with decodings[i - 1]",
        )
    if not isinstance(reduction, str) or reduction not in ("mean", "sum", "none"):
        raise bad_argument(
            "reduction", expected="mean, sum or none", given=reduction, hint="choose one"
        )
    if isinstance(num_items, torch.Tensor):
        _A_TENSOR("num_items", num_items)
    elif num_items is not None:
        number_of("num_items", num_items, above=0, most=MOST, hint=_NUM_ITEMS)
        if not isinstance(num_items, int | float):
            raise bad_argument(
                "num_items", expected="a number or a tensor", given=num_items, hint=_NUM_ITEMS
            )
    if num_items is not None and reduction != "mean":
        raise bad_argument(
            "num_items",
            expected='None, unless the reduction is "mean"',
            given=num_items,
            hint="leave one of the two out",
        )


def _listed(decodings: Sequence[Decoding]) -> Sequence[Decoding]:
    if not isinstance(decodings, Sequence):
        raise bad_argument(
            "decodings",
            expected="a list of decodings",
            given=decodings,
            hint="give [Decoding(0.8)], for example",
        )
    return decodings


def _groups(
    tokens: torch.Tensor, decodings: Sequence[Decoding], drawn_with: torch.Tensor
) -> list[Drawn]:
    """Rows by how their tokens were drawn, plain ones first."""
    where = torch.where(tokens == IGNORED_LABEL, 0, drawn_with.to(tokens.device))
    present = where.unique().tolist()
    if present and not 0 <= present[0] <= present[-1] <= len(decodings):
        raise bad_argument(
            "drawn_with",
            expected=f"0 to {len(decodings)}, as there are {len(decodings)} decodings",
            given=present,
            hint="0 is for plain tokens, and i for those drawn with decodings[i - 1]",
        )
    matched = [number for number in present if number and not decodings[number - 1].is_plain]
    counted = tokens != IGNORED_LABEL
    plain = counted.clone()
    groups = []
    for number in matched:
        here = where == number
        plain &= ~here
        groups.append(Drawn(_rows(here), decodings[number - 1]))
    return [Drawn(_rows(plain), None), *groups]


def _rows(here: torch.Tensor) -> torch.Tensor | None:
    return None if bool(here.all()) else here.nonzero().squeeze(1)


def _plain(
    rows: torch.Tensor,
    tokens: torch.Tensor,
    reduction: Literal["mean", "sum"],
    num_items: float | torch.Tensor | None,
) -> torch.Tensor:
    if num_items is None:
        return F.cross_entropy(rows, tokens, ignore_index=IGNORED_LABEL, reduction=reduction)
    total = F.cross_entropy(rows, tokens, ignore_index=IGNORED_LABEL, reduction="sum")
    return total / num_items


def _temperatures(each: torch.Tensor, groups: Sequence[Drawn]) -> torch.Tensor:
    """The temperature that each token was drawn at; 1 for plain ones."""
    result = torch.ones_like(each)
    for group in groups:
        if group.decoding is not None:
            result[slice(None) if group.rows is None else group.rows] = group.decoding.temperature
    return result
