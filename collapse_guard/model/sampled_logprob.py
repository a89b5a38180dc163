"""The log-probability of a token under the law that it was drawn from: the sampler's."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from collapse_guard.errors import bad_argument
from collapse_guard.model.cuts import FAR, cut, is_kept
from collapse_guard.model.decoding import Decoding, check_matchable
from collapse_guard.model.inputs import IDS, check_range
from collapse_guard.model.logprobs import row_blocks

_ON_ACCELERATORS = 1 << 26
"""Elements of a part there. A cut is some hundred kernels, and in parts of a quarter the processor
took three times as long to start them as an H100 to run them."""

_SHORTER, _SHORTER_ON_ACCELERATORS = 8, 2
"""How many times as many parts slices may make as an index, which copies the rows it names."""


def sampled_logprob(logits: torch.Tensor, labels: torch.Tensor, decoding: Decoding) -> torch.Tensor:
    """Log-probability of each token under softmax(cut(z / T)), the law that a sampler follows.

    The cut is found anew from the given logits, and takes no part in the gradient. The token
    itself is always kept: it was drawn, so what lets it fall below the cut is that these are not
    the logits which it was drawn from. So no cut makes a log-probability infinite. The gradient is
    that of the log-probability itself, with the factor 1/T.

    Rows are worked on in parts. For the backward pass a few numbers of each row are kept beside
    the logits, where cross-entropy keeps a log-probability of every type.

    Args:
        logits: Of shape (..., V), any floating dtype; the arithmetic is float32, or float64 for
            logits of float64.
        labels: int64 of shape (...), in [0, V).
        decoding: How the tokens were drawn.

    Returns:
        float32 (float64) of shape (...), natural logarithms, differentiable once.

    Raises:
        ArgumentError: Shapes that do not fit, or a decoding that is greedy or nearly so.
        TokenizerMismatchError: A label that is no type of the vocabulary, -100 among them.

    Example:
        >>> logits = torch.tensor([[0.5, 0.1, 0.4]]).log()
        >>> sampled_logprob(logits, torch.tensor([2]), Decoding(top_p=0.6)).exp()
        tensor([0.4444])
    """
    check_matchable(decoding)
    check_labels(logits, labels)
    check_range("labels", labels, logits.shape[-1])
    rows, tokens = logits.reshape(-1, logits.shape[-1]), labels.reshape(-1)
    return -terms(rows, tokens, [Drawn(None, decoding)]).view(labels.shape)


def check_labels(logits: torch.Tensor, labels: torch.Tensor) -> None:
    """Refuse labels that do not belong to logits.

    Args:
        logits: Of shape (..., V).
        labels: Integers of shape (...).

    Raises:
        ArgumentError: Another shape or dtype.
    """
    if not isinstance(logits, torch.Tensor) or not logits.is_floating_point() or logits.is_meta:
        raise bad_argument(
            "logits",
            expected="a tensor of floating-point numbers, of shape (..., V)",
            given=logits,
            hint="give the model's output.logits",
        )
    if not logits.ndim:
        raise bad_argument(
            "logits",
            expected="shape (..., V)",
            given=tuple(logits.shape),
            hint="give the model's output.logits",
        )
    if not isinstance(labels, torch.Tensor):
        IDS("labels", labels)
    if labels.shape != logits.shape[:-1] or labels.dtype != torch.int64:
        raise bad_argument(
            "labels",
            expected=f"int64 of shape {tuple(logits.shape[:-1])}, one for each row of `logits`",
            given=f"{labels.dtype} of shape {tuple(labels.shape)}",
            hint="give the token that each row of logits is to predict: logits[:, :-1] and "
            "input_ids[:, 1:] for a causal model",
        )


class Drawn(NamedTuple):
    """Rows that were drawn in one way.

    Attributes:
        rows: int64 of shape (R,), which rows; None for all.
        decoding: How their labels were drawn; None for tokens that no known sampler drew, whose
            term is plain cross-entropy: bit for bit on CPUs, and on GPUs where a row of logits is a
            multiple of 16 bytes, as else the order of additions there depends on where it begins.
    """

    rows: torch.Tensor | None
    decoding: Decoding | None


def terms(logits: torch.Tensor, labels: torch.Tensor, groups: Sequence[Drawn]) -> torch.Tensor:
    """Negative log-probabilities of tokens, each under the law that it was drawn from.

    Args:
        logits: Of shape (N, V), any floating dtype.
        labels: int64 of shape (N,), in [0, V) at the rows of all groups.
        groups: Rows by how they were drawn, no row in two of them.

    Returns:
        float32 (float64 for logits of float64) of shape (N,), 0 for rows in no group.
    """
    result: torch.Tensor = _Terms.apply(logits, labels, groups)  # type: ignore[no-untyped-call]
    return result


class _Terms(torch.autograd.Function):
    """Terms part by part, and their gradients part by part into one buffer.

    The backward pass makes the gradient of a part anew from the logits, with the cuts that the
    forward pass has found. So it needs no memory beyond the gradient that plain cross-entropy
    gives too, and no copy of its log-probabilities.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, labels: torch.Tensor, groups: Sequence[Drawn]
    ) -> torch.Tensor:
        ctx.save_for_backward(logits)
        ctx.parts = []
        exact = logits.dtype == torch.float64
        result = logits.new_zeros(len(logits), dtype=torch.float64 if exact else torch.float32)
        for rows, decoding in groups:
            for where in _parts(logits, rows):
                for inside, found, gradient in _score(logits[where], labels[where], decoding):
                    part = _part(where, inside)
                    result[part] = found.to(result.dtype)
                    ctx.parts.append((part, gradient))
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weights: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (logits,) = ctx.saved_tensors
        result = torch.zeros_like(logits)
        for part, gradient in ctx.parts:
            slopes = gradient(logits[part], weights[part]).to(logits.dtype)
            if isinstance(part, slice):
                result[part] = slopes
            else:
                result.index_copy_(0, part, slopes)
        return result, None, None


_Cuts = tuple[torch.Tensor, torch.Tensor]
"""`lowest` and `ties` of some rows, as in `Kept`."""

_Gradient = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Gives the gradient by a block of logits, when the terms' own gradients are given."""


def _parts(logits: torch.Tensor, rows: torch.Tensor | None) -> Iterator[slice | torch.Tensor]:
    """Rows in parts: slices where most of them follow one another, as those need no copies."""
    if rows is None:
        yield from row_blocks(logits, len(logits), _ON_ACCELERATORS)
        return
    blocks = list(row_blocks(logits, len(rows), _ON_ACCELERATORS))
    breaks = (rows.diff() != 1).nonzero().squeeze(1) + 1
    if len(breaks) >= (_SHORTER if logits.is_cpu else _SHORTER_ON_ACCELERATORS) * len(blocks):
        yield from (rows[block] for block in blocks)
        return
    for run in rows.tensor_split(breaks.cpu()):
        first = int(run[0])
        for block in row_blocks(logits, len(run), _ON_ACCELERATORS):
            yield slice(first + block.start, first + block.stop)


def _part(where: slice | torch.Tensor, inside: torch.Tensor | None) -> slice | torch.Tensor:
    """Which rows of all some rows of a block are."""
    if inside is None:
        return where
    return inside + where.start if isinstance(where, slice) else where[inside]


def _score(
    block: torch.Tensor, labels: torch.Tensor, decoding: Decoding | None
) -> Iterator[tuple[torch.Tensor | None, torch.Tensor, _Gradient]]:
    """The terms of a block, in one part or two.

    Yields:
        Which rows, None for all; their terms; and what gives their gradient.
    """
    if decoding is None:
        yield None, *_plain(block, labels)
        return
    scaled = _scaled(block, decoding.temperature)
    if not decoding.cuts:
        yield None, *_by_rows(scaled, labels, decoding.temperature, None)
        return
    lowest, ties, likeliest, among = cut(scaled, decoding)
    for inside, few in _split(among):
        here = slice(None) if inside is None else inside
        cuts = lowest[here], ties[here]
        if few and likeliest is not None:
            ids = torch.cat([likeliest, labels[:, None]], dim=1)
            values, ids = scaled.gather(1, ids)[here], ids[here]
            yield inside, *_by_columns(values, ids, decoding.temperature, cuts)
        else:
            yield inside, *_by_rows(scaled[here], labels[here], decoding.temperature, cuts)


def _split(among: torch.Tensor) -> Iterator[tuple[torch.Tensor | None, bool]]:
    """The rows where it is so, and those where it is not; None for all of them."""
    rows = among.nonzero().squeeze(1)
    if len(rows) in (0, len(among)):
        yield None, bool(len(rows))
    else:
        yield rows, True
        yield among.logical_not().nonzero().squeeze(1), False


def _plain(block: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, _Gradient]:
    def gradient(block: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            leaf = block.detach().requires_grad_()
            found = F.cross_entropy(leaf, labels, reduction="none")
        (slopes,) = torch.autograd.grad(found, leaf, weights.to(found.dtype))
        return slopes

    return F.cross_entropy(block, labels, reduction="none"), gradient


def _by_rows(
    scaled: torch.Tensor, labels: torch.Tensor, temperature: float, cuts: _Cuts | None
) -> tuple[torch.Tensor, _Gradient]:
    """By all types of each row, some of them cut."""
    labels = labels[:, None]

    def left(scaled: torch.Tensor) -> torch.Tensor:
        if cuts is None:
            return scaled
        return _without(scaled, ~is_kept(scaled, *cuts).scatter_(1, labels, True))

    def gradient(block: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        weights = weights[:, None] / temperature
        slopes = left(_scaled(block, temperature)).softmax(1).mul_(weights)
        return slopes.scatter_add_(1, labels, -weights)

    return F.cross_entropy(left(scaled), labels.squeeze(1), reduction="none"), gradient


def _by_columns(
    values: torch.Tensor, ids: torch.Tensor, temperature: float, cuts: _Cuts
) -> tuple[torch.Tensor, _Gradient]:
    """By the columns that hold all types that are kept; the last one is the label's own."""
    likeliest, labels = ids[:, :-1], ids[:, -1:]
    gone = ~is_kept(values[:, :-1], *cuts, likeliest) | (likeliest == labels)
    values = _without(values, F.pad(gone, (0, 1)))
    last = torch.full_like(labels.squeeze(1), likeliest.shape[1])
    found = F.cross_entropy(values, last, reduction="none")
    slopes = values.softmax(1)
    slopes[:, -1] -= 1
    slopes /= temperature

    def gradient(block: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        # A label among the likeliest is there twice, once with 0.
        return slopes.new_zeros(block.shape).scatter_add_(1, ids, slopes * weights[:, None])

    return found, gradient


def _scaled(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    exact = logits if logits.dtype == torch.float64 else logits.float()
    return exact if temperature == 1 else exact / temperature


def _without(values: torch.Tensor, gone: torch.Tensor) -> torch.Tensor:
    # Not `masked_fill`, whose branches take several times as long as a product; and by bytes, as
    # torch is slow to make numbers of truth values.
    return values.add(gone.view(torch.int8), alpha=-FAR)
