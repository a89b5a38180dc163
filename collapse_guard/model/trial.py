"""Whether a look leaves a trace in a model that could not be put back, found by trying."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.parameter import is_lazy

from collapse_guard.errors import UnwatchableError
from collapse_guard.model.forward import device_of, logits_at

_ROUNDING = 1e-5
"""Share of the largest logit that two equal passes may differ by on an accelerator, whose sums have
no fixed order."""


def check_leaves_no_trace(model: torch.nn.Module, input_ids: torch.Tensor) -> None:
    """Refuse a model whose training a look would change, at the price of four short passes.

    The training's own forward pass, in its modes and with equal random numbers, is compared before
    and after a look at the same text; and two looks are. A model that is in evaluation mode, as one
    that was just loaded is, is taken to train in training mode, which trainers set with their first
    step. What a model keeps in its modules is put
    back after each (`undisturbed`), so what differs is kept elsewhere: a hook that counts in a
    closure, an object that modules refer to, a process that answers. Such a model is disturbed by
    this trial, and by nothing after it.

    A pass in training mode that fails says nothing, as some models want more than token ids then;
    looks are compared all the same.

    Args:
        model: On any device, wrapped or not.
        input_ids: int64 of shape (1, tokens), each with an embedding.

    Raises:
        UnwatchableError: Its first forward pass is still to make some of its parameters,
            TorchScript has compiled it, or a look changes what the model computes, also where it is
            random by itself: its random numbers come from nowhere that could be put back.

    Example:
        >>> calls = []
        >>> model = torch.nn.Embedding(4, 4)
        >>> hook = model.register_forward_hook(lambda m, i, out: out + len(calls))
        >>> late = model.register_forward_hook(lambda m, i, out: calls.append(1))
        >>> check_leaves_no_trace(model, torch.tensor([[0, 1, 2]]))
        Traceback (most recent call last):
        ...
        collapse_guard.errors.UnwatchableError: a look would change the training: ...
    """
    positions = torch.ones_like(input_ids, dtype=torch.bool)
    positions[:, 0] = False

    def look() -> torch.Tensor:
        return logits_at(model, input_ids, positions)

    def train() -> torch.Tensor | None:
        try:
            with warnings.catch_warnings(), _in_training_mode(model):
                # Gradient checkpointing says that there are no gradients.
                warnings.simplefilter("ignore")
                return logits_at(model, input_ids, positions, evaluate=False)
        except Exception:
            return None

    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise UnwatchableError(
            "the model was compiled by TorchScript, which hides what its modules keep: a look "
            "could not put that back. Train the model itself, or what `torch.compile` makes of it."
        )
    if any(is_lazy(parameter) for parameter in model.parameters()):
        raise UnwatchableError(
            "the model has lazy parameters, which its first forward pass makes, and draws random "
            "numbers for: a look would take the training's place there. Run one batch through it "
            "before it is watched."
        )
    trained, seen = train(), look()
    differs = _differ(model, seen, look())
    # After the looks, and only where there was one before them.
    if trained is not None and not differs:
        again = train()
        differs = again is None or _differ(model, trained, again)
    if differs:
        raise UnwatchableError(
            "a look would change the training: the model gives something else when it is called "
            "again with the same text and the same random numbers, so it keeps count of calls, or "
            "draws random numbers, where that cannot be put back (a closure of a hook, an object "
            "that a module refers to). Keep such state in attributes or buffers of the module, or "
            "take the hook off. Nothing is watched."
        )


@contextmanager
def _in_training_mode(model: torch.nn.Module) -> Iterator[None]:
    """As it will train, by flags alone: what a module does in `train()` is not to be done here."""
    waiting = [] if model.training else [each for each in model.modules() if not each.training]
    try:
        for module in waiting:
            module.training = True
        yield
    finally:
        for module in waiting:
            module.training = False


def _differ(model: torch.nn.Module, one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.shape != other.shape:
        return True
    if device_of(model).type == "cpu":
        return not torch.equal(one.nan_to_num(), other.nan_to_num())
    scale = one.nan_to_num().abs().max()
    return bool(((one - other).nan_to_num().abs() > _ROUNDING * scale).any())
