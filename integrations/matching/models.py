"""The transformers model in what is trained, and whether its loss can be matched at all."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch

from collapse_guard.errors import ArgumentError, bad_argument
from collapse_guard.extras import require
from collapse_guard.integrations.matching.causal_loss import MatchedCausalLoss
from collapse_guard.model.forward import accepts, device_of, is_encoder_decoder
from collapse_guard.model.undisturbed import undisturbed

require("transformers", "huggingface")

from transformers import PreTrainedModel  # noqa: E402
from transformers.loss.loss_utils import ForCausalLMLoss  # noqa: E402

Autocast = Callable[[], AbstractContextManager[Any]]
"""Makes a context of the precision that a model is called in."""

_BY_HAND = (
    "where the loss is computed from logits, call collapse_guard.SamplerMatchedLoss there instead"
)


def model_in(target: torch.nn.Module) -> PreTrainedModel:
    """The one transformers model in a module: under PEFT, compilers, wrappers, or Lightning's.

    Raises:
        ArgumentError: There is none, or more than one.
    """
    found: list[PreTrainedModel] = []
    inside: set[torch.nn.Module] = set()
    for module in target.modules():
        # A model comes before the parts of it that are transformers models too.
        if isinstance(module, PreTrainedModel) and module not in inside:
            found.append(module)
            inside.update(module.modules())
    if len(found) != 1:
        raise bad_argument(
            "target",
            expected="a module with one transformers model in it",
            given=[type(model).__name__ for model in found] or type(target).__name__,
            hint="give the model that is trained, as in match_sampler(module.model, ...)"
            if found
            else _BY_HAND,
        )
    return found[0]


def own_loss(model: PreTrainedModel) -> Callable[..., torch.Tensor]:
    """The loss function of a causal language model, which a matched one may stand in for.

    Raises:
        ArgumentError: An encoder-decoder, another loss, or a model that is matched already.
    """
    if is_encoder_decoder(model):
        raise _refused(model, "a causal language model", "encoder-decoders are not matched")
    current = model.loss_function
    if isinstance(current, MatchedCausalLoss):
        if current.is_on:
            raise _refused(
                model,
                "a model that is not matched yet",
                "call .remove() on what match_sampler returned before, or leave this call out",
            )
        current = current.own
    if current is not ForCausalLMLoss:
        name = getattr(current, "__name__", type(current).__name__)
        raise _refused(
            model,
            f"a model whose loss_function is transformers' ForCausalLMLoss, not {name}",
            "leave the model's own loss_function in place, or " + _BY_HAND,
        )
    own: Callable[..., torch.Tensor] = ForCausalLMLoss
    return own


def try_loss(model: PreTrainedModel, autocast: Autocast) -> torch.Tensor | None:
    """See on two tokens whether a model calls its `loss_function`; it is left undisturbed.

    Args:
        model: The model.
        autocast: Makes what it is called in.

    Returns:
        Of shape (1, 2, V), the logits that the loss function was called with; None where the
        weights are not here yet (sharded by DeepSpeed, say).

    Raises:
        ArgumentError: It computes its loss elsewhere, or cannot be called with tokens and labels.
    """
    if any(weight.is_meta or not weight.numel() for weight in model.parameters()):
        return None
    seen: list[torch.Tensor] = []

    def note(logits: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        seen.append(logits.detach())
        return logits.sum() * 0

    tokens = two_tokens(model)
    arguments = {"use_cache": False} if accepts(model, "use_cache") else {}
    before = model.__dict__.get("_loss_function")
    model.loss_function = note
    try:
        with undisturbed(model), autocast():
            model(input_ids=tokens, labels=tokens.clone(), **arguments)
    except Exception as error:
        raise _refused(
            model, "a model that can be called with input_ids and labels", _BY_HAND
        ) from error
    finally:
        put_back(model, "_loss_function", before)
    if len(seen) != 1:
        raise _refused(
            model,
            "a model that calls its loss_function once",
            "it computes its loss elsewhere, as under Liger's fused linear cross-entropy: switch "
            "that off, or " + _BY_HAND,
        )
    return seen[0]


def two_tokens(model: PreTrainedModel) -> torch.Tensor:
    """A row of two tokens, int64 of shape (1, 2), that a model may be tried on."""
    return torch.tensor([[0, 1]], device=device_of(model))


def put_back(model: torch.nn.Module, attribute: str, value: object) -> None:
    """Give a module's own attribute the value that it had before; None where it had none."""
    if value is None:
        model.__dict__.pop(attribute, None)
    else:
        setattr(model, attribute, value)


def _refused(model: PreTrainedModel, expected: str, hint: str) -> ArgumentError:
    return bad_argument("target", expected=expected, given=type(model).__name__, hint=hint)
