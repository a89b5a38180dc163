"""The sampler-matched loss for models with TRL's fused head, which makes no logits.

TRL's `SFTTrainer` gives a model a forward that returns the log-probability of each label, from the
last hidden state and the weights of the output layer, tile by tile. It never calls the model's
loss function, and takes a marked label for a token that does not exist, without a word.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from types import MethodType
from typing import Any, Self

import torch
from torch.utils.checkpoint import checkpoint

from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.integrations.matching.causal_loss import MatchedCausalLoss
from collapse_guard.integrations.matching.models import Autocast, put_back, two_tokens
from collapse_guard.model.inputs import IGNORED_LABEL
from collapse_guard.model.marked_labels import unmark_labels
from collapse_guard.model.matched_loss import SamplerMatchedLoss
from collapse_guard.model.undisturbed import undisturbed

require("transformers", "huggingface")

from transformers import PreTrainedModel  # noqa: E402

LOGITS_AT_ONCE = 1 << 26
"""Logits of matched tokens that exist at a time; half of what TRL has of plain ones."""

_ROUNDING, _HALF_ROUNDING = 1e-4, 0.02
"""By what part of the largest logit others may be off, in full and in half precision."""


def has_fused_head(model: PreTrainedModel) -> bool:
    """Whether the model's forward is TRL's, under whatever has been wrapped around it since."""
    forward: Any = model.forward
    while forward is not None:
        function = getattr(forward, "__func__", forward)
        if "fused_lm_head" in getattr(getattr(function, "__code__", None), "co_varnames", ()):
            return True
        forward = getattr(function, "__wrapped__", None)
    return False


def logits_of(model: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
    """Logits from the last hidden state, scaled and capped as TRL's fused head does it.

    Args:
        model: The model.
        hidden: Of shape (..., H).

    Returns:
        float32 (float64) of shape (..., V).
    """
    config = model.config.get_text_config()
    any_model: Any = model
    logits: torch.Tensor = any_model.get_output_embeddings()(hidden)
    if logits.dtype != torch.float64:
        logits = logits.float()
    for name in ("logit_scale", "output_multiplier", "lm_head_multiplier"):
        if (scale := getattr(config, name, None)) is not None:
            logits = logits * scale
            break
    else:
        if (scale := getattr(config, "logits_scaling", None)) is not None:
            logits = logits * scale if config.model_type == "hyperclovax" else logits / scale
    if (cap := getattr(config, "final_logit_softcapping", None)) is not None:
        logits = cap * torch.tanh(logits / cap)
    return logits


def check_head(model: PreTrainedModel, logits: torch.Tensor | None, autocast: Autocast) -> None:
    """Refuse a model whose logits are others than the fused head takes them to be.

    Args:
        model: The model.
        logits: What it made of `two_tokens`; None where it could not be tried.
        autocast: Makes what it was called in.

    Raises:
        ArgumentError: They differ.
    """
    if logits is None:
        return
    with undisturbed(model), autocast():
        hidden = model.base_model(two_tokens(model)).last_hidden_state
        found = logits_of(model, hidden)
    if found.shape == logits.shape:
        sizes = [torch.finfo(part.dtype).bits for part in (hidden, logits)]
        rounding = _HALF_ROUNDING if min(sizes) < 32 else _ROUNDING
        if (found - logits).abs().max() <= rounding * logits.abs().max():
            return
    raise bad_argument(
        "target",
        expected="a model whose logits are its output layer's, scaled or capped at most",
        given=type(model).__name__,
        hint="TRL's fused head trains another law than this model's own: use transformers' Trainer",
    )


@dataclass(frozen=True)
class NoLaterHead:
    """Refuses, at its next forward pass, a matched model that was given the fused head since.

    A hook of the model's backbone, which the fused head calls too.

    Attributes:
        model: The model.
        matched: Stands in for its loss.
    """

    model: PreTrainedModel
    matched: MatchedCausalLoss

    def __call__(self, *_: Any) -> None:
        """Refuse it."""
        if self.matched.is_on and has_fused_head(self.model):
            raise bad_argument(
                "target",
                expected="a trainer, where it is TRL's",
                given=f"a {type(self.model).__name__} that was handed to TRL's trainer afterwards",
                hint="make the trainer first, then call match_sampler(trainer, ...)",
            )

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # A copy of the backbone alone must not bring the whole model with it.
        return self


def match_fused_head(model: PreTrainedModel, matched: MatchedCausalLoss) -> Callable[[], None]:
    """Let the fused head's outputs have the matched log-probabilities of marked labels.

    Everything of plain labels is TRL's own, bit for bit. Of matched ones `log_probs` are minus the
    terms of the loss, and `entropy` and `is_top1`, which TRL only logs, those of the model itself.

    Args:
        model: A model with the fused head.
        matched: Stands in for its loss.

    Returns:
        A function that ends it.
    """
    before = model.forward
    inner = getattr(before, "__func__", None)

    @torch.compiler.disable(recursive=False)  # type: ignore[untyped-decorator]
    @wraps(inner or before)
    def forward(self: PreTrainedModel, *args: Any, **kwargs: Any) -> Any:
        def fused(**changed: torch.Tensor) -> Any:
            # A copy of the model calls TRL's forward on itself.
            bound = before if inner is None else MethodType(inner, self)
            return bound(*args, **(kwargs | changed))

        name = "labels" if kwargs.get("shift_labels") is None else "shift_labels"
        labels = kwargs.get(name)
        if not matched.is_on or not kwargs.get("fused_lm_head") or labels is None:
            return fused()
        marked = matched.marked(labels, is_training=self.training)
        if marked is None:
            return fused()
        labels = marked
        drawn = unmark_labels(labels)[1] > 0
        with _last_hidden_state(self) as states:
            output = fused(**{name: labels.masked_fill(drawn, IGNORED_LABEL)})
        hidden, autocast = states[-1]
        if name == "labels":
            hidden, labels, drawn = hidden[:, :-1], labels[:, 1:], drawn[:, 1:]
        there = drawn.to(hidden.device)
        if not there.any():
            # Only first tokens of rows were drawn, which nothing predicts.
            return output
        with autocast:
            found = _in_slices(self, matched.loss, hidden[there], labels[drawn])
        return _filled(self, output, drawn, found, kwargs.get("num_items_in_batch"))

    attached = MethodType(forward, model)
    own = model.__dict__.get("forward")
    model.forward = attached

    def remove() -> None:
        # Whoever has wrapped this forward since keeps it, as a mere passage.
        if model.__dict__.get("forward") is attached:
            put_back(model, "forward", own)

    return remove


@contextmanager
def _last_hidden_state(
    model: PreTrainedModel,
) -> Iterator[list[tuple[torch.Tensor, torch.autocast]]]:
    """What the model's backbone gives inside of the block, and what it runs in."""
    states = []

    def keep(*call: Any) -> None:
        state: torch.Tensor = call[-1].last_hidden_state
        kind = state.device.type
        dtype, enabled = torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind)
        states.append((state, torch.autocast(kind, dtype=dtype, enabled=enabled)))

    hook = model.base_model.register_forward_hook(keep)
    try:
        yield states
    finally:
        hook.remove()


_Found = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Of each matched token its term, and of the law that predicts it the entropy, and whether the
token is its likeliest."""


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _in_slices(
    model: PreTrainedModel, loss: SamplerMatchedLoss, hidden: torch.Tensor, labels: torch.Tensor
) -> _Found:
    """What is found from the hidden states of matched tokens, a slice of logits at a time.

    Args:
        model: Its output layer is called.
        loss: Gives the terms.
        hidden: Of shape (N, H).
        labels: int64 of shape (N,), marked.
    """

    def of_slice(hidden: torch.Tensor, labels: torch.Tensor) -> _Found:
        logits = logits_of(model, hidden)
        labels = labels.to(logits.device)
        terms = loss(logits, labels, reduction="none")
        # Last, as the backward pass runs this again only until it has what it needs.
        with torch.no_grad():
            logprobs = logits.log_softmax(1)
            is_top1 = logprobs.argmax(1) == unmark_labels(labels)[0]
            return terms, -(logprobs.exp() * logprobs).sum(1), is_top1

    rows = max(1, LOGITS_AT_ONCE // model.config.get_text_config().vocab_size)
    slices = [
        checkpoint(of_slice, *part, use_reentrant=False, preserve_rng_state=False)
        for part in zip(hidden.split(rows), labels.split(rows), strict=True)
    ]
    terms, entropy, is_top1 = (torch.cat(parts) for parts in zip(*slices, strict=True))
    return terms, entropy, is_top1


def _filled(
    model: PreTrainedModel, output: Any, drawn: torch.Tensor, found: _Found, num_items: Any
) -> Any:
    """The fused head's output with what was found of matched tokens."""
    terms, entropy, is_top1 = found
    drawn = drawn.to(output.log_probs.device)
    for name, values in {"log_probs": -terms, "entropy": entropy, "is_top1": is_top1}.items():
        if (field := getattr(output, name)) is not None:
            setattr(output, name, field.masked_scatter(drawn, values.to(field)))
    output.label_mask = output.label_mask | drawn
    if num_items is None:
        num_items = output.label_mask.sum().clamp(min=1)
    output.loss = -output.log_probs.sum() / num_items
    if output.aux_loss is not None:
        coefficient = getattr(model.config.get_text_config(), "router_aux_loss_coef", 0.0)
        output.loss = output.loss + coefficient * output.aux_loss
    return output
