"""Log-probabilities under a sampler's law, by the types that it recorded it could have drawn.

Generators for reinforcement learning can write down which types their cuts left over of each
token's law: *sampling distribution replay*, or *keep sampling mask* (DeepSeek-V3.2, arXiv
2512.02556, section 3.1; vLLM's `return_sampling_mask`, SGLang's likewise). With that, the law needs
no cut to be found again.

Most do not need it: with the drawn token kept, a cut that is found anew from the student's own
logits serves (the recursive example keeps its tail so), and costs no storage and no slower
generator. So trainers' adapters find it anew, by `sampled_logprob`; take this for rows whose cuts
were recorded and whose decoding is not known, or to agree with a trainer that replays them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from collapse_guard.errors import bad_argument
from collapse_guard.model.decoding import Decoding, check_matchable
from collapse_guard.model.inputs import check_range
from collapse_guard.model.sampled_logprob import check_labels

_IDS_AT_A_TIME = 1 << 20
"""Recorded ids that are worked on at once."""


class RecordedIds(NamedTuple):
    """The types that could have been drawn, token by token.

    Attributes:
        ids: int64 of shape (K,), those of the first token, then those of the second, and so on; no
            type twice for one token.
        sizes: int64 of shape (N,), how many there are for each token; they add up to K.
    """

    ids: torch.Tensor
    sizes: torch.Tensor


def recorded_ids(lists: Iterable[Sequence[int]]) -> RecordedIds:
    """Lists of ids, one for each token, as tensors.

    Args:
        lists: In the order of the tokens. An id that stands in a list twice counts once.

    Example:
        >>> recorded_ids([[7, 3], [5]])
        RecordedIds(ids=tensor([3, 7, 5]), sizes=tensor([2, 1]))
    """
    unique = [np.unique(np.asarray(ids, dtype=np.int64)) for ids in lists]
    sizes = np.array([len(ids) for ids in unique], dtype=np.int64)
    ids = np.concatenate([np.zeros(0, dtype=np.int64), *unique])
    return RecordedIds(torch.from_numpy(ids), torch.from_numpy(sizes))


def recorded_ids_of_vllm(completion: Any) -> RecordedIds:
    """What vLLM recorded of the tokens of one completion.

    vLLM returns, from a model with `return_sampling_mask=True`, in
    `CompletionOutput.sampling_mask.token_ids` a list of ids for each generated token, and in
    `choices[i]["sampling_mask"]` of its `/inference/v1/generate` endpoint the same lists (its
    documentation, `docs/training/sampling_mask.md`). Penalties and biases that it was told of have
    gone into the choice of these ids, and into the logits too, which `recorded_logprob` does not
    know.

    Args:
        completion: A `CompletionOutput`, or one of the endpoint's `choices`.

    Returns:
        For each of its `token_ids`, in their order.

    Raises:
        ArgumentError: Nothing was recorded, or not for each token, or a token is not among those
            that could have been drawn.

    Example:
        >>> recorded_ids_of_vllm({"token_ids": [187, 42], "sampling_mask": [[187, 326], [42]]})
        RecordedIds(ids=tensor([187, 326,  42]), sizes=tensor([2, 1]))
    """
    mask, tokens = (_named(completion, name) for name in ("sampling_mask", "token_ids"))
    lists = getattr(mask, "token_ids", mask)
    if lists is None or tokens is None:
        raise bad_argument(
            "completion",
            expected="a completion of vLLM with `token_ids` and a `sampling_mask`",
            given=completion,
            hint="draw with LLM(..., return_sampling_mask=True) and a top_k above 0, or do without "
            "and give the decoding to sampled_logprob",
        )
    if len(lists) != len(tokens):
        raise bad_argument(
            "completion",
            expected=f"a list in `sampling_mask` for each of {len(tokens)} tokens",
            given=len(lists),
            hint="give a finished completion, with all of its tokens",
        )
    for number, (token, ids) in enumerate(zip(tokens, lists, strict=True)):
        if token not in ids:
            raise bad_argument(
                "completion",
                expected=f"token {number}, {token}, among those that could have been drawn",
                given=ids,
                hint="give token ids and mask of one and the same completion",
            )
    return recorded_ids(lists)


def recorded_logprob(
    logits: torch.Tensor,
    labels: torch.Tensor,
    kept: RecordedIds | Iterable[Sequence[int]],
    *,
    temperature: float,
) -> torch.Tensor:
    """Log-probability of each token under softmax(z / T) over the types that were recorded.

    The token itself always counts as recorded. The gradient is that of the log-probability, with
    the factor 1/T; it is 0 by the logits of all types that were not recorded. Only logits at
    recorded types are read, some tokens at a time.

    Args:
        logits: Of shape (..., V), any floating dtype; the arithmetic is float32, or float64 for
            logits of float64.
        labels: int64 of shape (...), in [0, V), N in all.
        kept: For each label, in row-major order, the types that could have been drawn in its place.
        temperature: At which they were drawn, at least 0.05.

    Returns:
        float32 (float64) of shape (...), natural logarithms, at most 0, differentiable once.

    Raises:
        ArgumentError: Shapes that do not fit, a token of which nothing was recorded, or a
            temperature that is nearly greedy.
        TokenizerMismatchError: A label or a recorded id that is no type of the vocabulary.

    Example:
        >>> logits = torch.tensor([[0.5, 0.1, 0.4]]).log()
        >>> recorded_logprob(logits, torch.tensor([2]), [[0, 2]], temperature=1.0).exp()
        tensor([0.4444])
    """
    check_matchable(Decoding(temperature=temperature), "temperature")
    check_labels(logits, labels)
    check_range("labels", labels, logits.shape[-1])
    ids, sizes = kept if isinstance(kept, RecordedIds) else recorded_ids(kept)
    check_range("kept", ids, logits.shape[-1])
    _check_sizes(ids, sizes, labels.numel())
    recorded = RecordedIds(ids.to(logits.device), sizes.to(logits.device))
    found: torch.Tensor = _Recorded.apply(  # type: ignore[no-untyped-call]
        logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), recorded, float(temperature)
    )
    return found.view(labels.shape)


class _Recorded(torch.autograd.Function):
    """Some tokens at a time, and their gradients into one buffer.

    Indexing the logits part by part would do too, and make a gradient of their full size for each
    part.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, labels: torch.Tensor, kept: RecordedIds, temperature: float
    ) -> torch.Tensor:
        exact = torch.float64 if logits.dtype == torch.float64 else torch.float32
        result = logits.new_zeros(len(logits), dtype=exact)
        normalizers = torch.zeros_like(result)
        for part in _parts(labels, kept):
            values, own = _scaled(logits, part, temperature)
            highest = own.scatter_reduce(0, part.owners, values, "amax")
            weights = (values - highest[part.owners]).exp()
            extra = (own - highest).exp() * part.unrecorded
            total = extra.index_add(0, part.owners, weights).log()
            result[part.rows] = own - highest - total
            normalizers[part.rows] = highest + total
        ctx.save_for_backward(logits, labels, *kept, normalizers)
        ctx.temperature = temperature
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weights: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        logits, labels, ids, sizes, normalizers = ctx.saved_tensors
        result = torch.zeros_like(logits)
        for part in _parts(labels, RecordedIds(ids, sizes)):
            values, own = _scaled(logits, part, ctx.temperature)
            normalizer, pulls = normalizers[part.rows], weights[part.rows] / ctx.temperature
            slopes = part.is_label.to(values.dtype) - (values - normalizer[part.owners]).exp()
            slopes *= pulls[part.owners]
            block = result[part.rows]
            # Added up, for the ids of someone who has made them with a type twice.
            block.index_put_((part.owners, part.ids), slopes.to(block.dtype), accumulate=True)
            extra = (1 - (own - normalizer).exp()) * pulls * part.unrecorded
            each = torch.arange(len(own), device=own.device)
            block.index_put_((each, part.labels), extra.to(block.dtype), accumulate=True)
        return result, None, None, None


class _Part(NamedTuple):
    """Some tokens, and what was recorded of them.

    Attributes:
        rows: Which tokens, R of them.
        labels: int64 of shape (R,).
        ids: int64 of shape (K,), the recorded types of all of them.
        owners: int64 of shape (K,), which of the R tokens each is of.
        is_label: bool of shape (K,), whether it is the token itself.
        unrecorded: bool of shape (R,), whether the token itself was not recorded.
    """

    rows: slice
    labels: torch.Tensor
    ids: torch.Tensor
    owners: torch.Tensor
    is_label: torch.Tensor
    unrecorded: torch.Tensor


def _parts(labels: torch.Tensor, kept: RecordedIds) -> Iterator[_Part]:
    ends = kept.sizes.cumsum(0).cpu().numpy()
    first = 0
    while first < len(ends):
        start = int(ends[first - 1]) if first else 0
        # As many tokens as fit, and one at least.
        last = max(int(np.searchsorted(ends, start + _IDS_AT_A_TIME, "right")), first + 1)
        rows, ids = slice(first, last), kept.ids[start : int(ends[last - 1])]
        tokens = labels[rows]
        each = torch.arange(last - first, device=ids.device)
        owners = each.repeat_interleave(kept.sizes[rows], output_size=len(ids))
        is_label = ids == tokens[owners]
        recorded = torch.zeros_like(tokens).index_add(0, owners, is_label.to(tokens.dtype))
        yield _Part(rows, tokens, ids, owners, is_label, recorded == 0)
        first = last


def _scaled(
    logits: torch.Tensor, part: _Part, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The scaled logits of the recorded types, and of the tokens themselves."""
    block = logits[part.rows]
    found = block[part.owners, part.ids], block.gather(1, part.labels[:, None]).squeeze(1)
    values, own = (each if each.dtype == torch.float64 else each.float() for each in found)
    return values / temperature, own / temperature


def _check_sizes(ids: torch.Tensor, sizes: torch.Tensor, tokens: int) -> None:
    if sizes.shape != (tokens,) or int(sizes.sum()) != len(ids):
        raise bad_argument(
            "kept",
            expected=f"a list of ids for each of {tokens} labels",
            given=f"{len(ids)} ids for {len(sizes)}",
            hint="give them in the order of the labels, row by row",
        )
    if tokens and int(sizes.min()) < 1:
        raise bad_argument(
            "kept",
            expected="at least one id for each label",
            given=f"none for label {int(sizes.argmin())}",
            hint="leave out the tokens of which nothing was recorded, as those of a prompt, and "
            "score them by themselves",
        )


def _named(completion: Any, name: str) -> Any:
    if isinstance(completion, Mapping):
        return completion.get(name)
    return getattr(completion, name, None)
