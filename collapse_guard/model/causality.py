"""Whether a model predicts each token from those before it alone, found by trying."""

from collections.abc import Mapping
from weakref import WeakSet

import torch

from collapse_guard.errors import UnwatchableError
from collapse_guard.model.forward import logits_at

LARGEST_MOVE = 1e-3
"""Nats by which a later token may move an earlier log-probability in float32: room for rounding,
which in a mixture of experts depends on what else stands in the batch."""

_ROUNDING = 1e-5
"""Nats that are rounding whatever the model; between these two an untrained model may be caught, in
which nothing moves anything by much: later tokens against earlier ones."""

_OF_PAST = 0.25
"""Share of what earlier tokens move that later ones may: a causal model's do not move anything."""

_STEPS = 4
"""Rounding steps of the largest logit that are allowed where a model computes with fewer bits."""

_TIMES_NOISE = 4
"""How much further than two equal rows differ a changed row must move: a model may be random."""

_NEAREST = 8
"""Positions just before a changed token that are compared."""

_ROWS = 5

_FOUND_CAUSAL: WeakSet[torch.nn.Module] = WeakSet()


def is_found_causal(model: torch.nn.Module) -> bool:
    """Whether `check_causal` has passed this model before, so that it need not be tried again."""
    return model in _FOUND_CAUSAL


def check_causal(
    model: torch.nn.Module,
    input_ids: torch.Tensor,
    *,
    encoder: Mapping[str, torch.Tensor] | None = None,
) -> None:
    """Refuse a model that sees the token that it is to predict, at the price of one forward pass.

    Later tokens of a text are changed, and earlier predictions are compared. All is one batch of
    five rows of the text, of which two are equal: whatever depends on the batch as a whole (the
    scale of quantised activations, say) is the same for all of them, and what the equal ones differ
    by is noise. In another one earlier tokens are changed, to see how much anything moves at all.
    The model is left as it was (see `undisturbed`), and remembered where it is found causal.

    Args:
        model: On any device, wrapped or not.
        input_ids: int64 of shape (rows, tokens), each with an embedding, as large as a batch may
            be: of the first row is used what fits into it five times.
        encoder: As in `logits_at`; its first row is used.

    Raises:
        UnwatchableError: An earlier log-probability moves by more than rounding and noise explain.
        ScoringError: As in `logits_at`.

    Example:
        >>> class Bidirectional(torch.nn.Module):
        ...     def forward(self, input_ids):
        ...         seen = torch.nn.functional.one_hot(input_ids, 9).float()
        ...         return seen.sum(1, keepdim=True).expand_as(seen)
        >>> check_causal(Bidirectional(), torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]]))
        Traceback (most recent call last):
        ...
        collapse_guard.errors.UnwatchableError: the model is not causal: ...
    """
    text, other = _text_and_other(input_ids)
    if torch.equal(text, other):
        # A text of one single type: there is nothing to change it to.
        return
    width = len(text)
    half, last = min(width // 2 | 1, width - 1), width - 1
    later = [torch.cat([text[:start], other[start:]]) for start in (half, last)]
    near = max(half - _NEAREST + 1, 1)
    # The contexts of what is compared stay as they are but for their beginning.
    earlier = torch.cat([other[: near - 1], text[near - 1 :]])
    ids = torch.stack([text, text, *later, earlier])
    compared = torch.zeros(width, dtype=torch.bool, device=ids.device)
    compared[near : half + 1] = True
    compared[max(last - _NEAREST + 1, 1) :] = True
    encoder = {name: rows[:1].expand(_ROWS, -1) for name, rows in (encoder or {}).items()}
    logits = logits_at(model, ids, compared.expand_as(ids), encoder=encoder)
    columns = compared.nonzero().squeeze(1).to(logits.device)
    logprobs = logits.float().log_softmax(1).unflatten(0, (_ROWS, len(columns)))
    noise, by_half, by_last, by_past = (
        _furthest(logprobs[0], moved, columns <= end)
        for moved, end in zip(logprobs[1:], (last, half, last, half), strict=True)
    )
    moved = max(by_half, by_last)
    if moved > max(
        min(LARGEST_MOVE, max(_OF_PAST * by_past, _ROUNDING)),
        _STEPS * _rounding_step(model, logits),
        _TIMES_NOISE * noise,
    ):
        raise UnwatchableError(
            f"the model is not causal: where later tokens of a text are changed, the log-"
            f"probability of an earlier one moves by up to {moved:.3g} nats, so the model "
            f"sees what it is to predict. Load it as a decoder (`is_decoder=True` in the config of "
            f"a BERT-like model), or give a causal language model; where an input decides what is "
            f"seen (`token_type_ids` of PaliGemma), give a module that wraps the model and passes "
            f"what makes it causal, as in its training."
        )
    _FOUND_CAUSAL.add(model)


def _text_and_other(input_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The beginning of the first row, and as long a text that differs from it at every token."""
    rows, tokens = input_ids.shape
    text = input_ids[0, : min(tokens, max(rows * tokens // _ROWS, 2))]
    # From the batch itself: of other ids nothing says that they are text.
    types = input_ids.unique()
    return text, types[(torch.searchsorted(types, text.contiguous()) + 1) % len(types)]


def _furthest(one: torch.Tensor, other: torch.Tensor, at: torch.Tensor) -> float:
    """The largest difference of log-probabilities, of shape (positions, vocabulary), at some."""
    difference = (one - other)[at].abs()
    # Minus infinity less minus infinity, or a broken model, of which the look itself will tell.
    return float(difference.nan_to_num(0.0, posinf=0.0).max())


def _rounding_step(model: torch.nn.Module, logits: torch.Tensor) -> float:
    """The step between two neighbouring numbers at the largest logit, as the model computes."""
    halves = (torch.bfloat16, torch.float16)
    used = {logits.dtype} | {p.dtype for p in model.parameters() if p.dtype in halves}
    # Under autocast weights and what comes out may be float32, and all between them not.
    used |= {half for half in halves if torch.equal(logits.to(half).to(logits.dtype), logits)}
    largest = logits.float().nan_to_num(0.0, posinf=0.0, neginf=0.0).abs().max()
    return max(torch.finfo(dtype).eps for dtype in used) * float(largest)
