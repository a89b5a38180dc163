"""The language model inside of a larger module, and calling it as its training calls it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch

from collapse_guard.errors import bad_argument
from collapse_guard.model.forward import output_layer


def obvious_model(module: torch.nn.Module) -> torch.nn.Module:
    """The only language model among a module's attributes.

    That is: the only attribute with parameters; or else the only one that says which is its output
    layer, as transformers and PEFT models do; or else the only one of those that is trained.

    Args:
        module: A LightningModule, for example.

    Raises:
        ArgumentError: There is none, or more than one.
    """
    holders = {
        name: child
        for name, child in module.named_children()
        if next(child.parameters(), None) is not None
    }
    languages = {name: child for name, child in holders.items() if output_layer(child) is not None}
    trained = {
        name: child
        for name, child in languages.items()
        if any(parameter.requires_grad for parameter in child.parameters())
    }
    for candidates in (holders, languages, trained):
        if len(candidates) == 1:
            return next(iter(candidates.values()))
    raise bad_argument(
        "model",
        expected=f"to be told which part of {type(module).__name__} is the language model",
        given=f"attributes {list(holders)}" if holders else "a module without parameters",
        hint="give model=lambda pl_module: pl_module.net, or model=lambda pl_module: pl_module "
        "where its own forward takes token ids and returns logits",
    )


class InContext(torch.nn.Module):
    """A model each call of which is made inside of a context, that of its training's precision.

    Only the calls of the model go in: what is computed of its logits stays outside, and so does the
    optimizer.

    Args:
        model: The language model.
        context: Makes the context, anew for each call.
    """

    def __init__(
        self, model: torch.nn.Module, context: Callable[[], AbstractContextManager[Any]]
    ) -> None:
        super().__init__()
        # Under the name that torch.compile gives to what it wraps: there it is looked for by
        # whoever asks a model which arguments it takes.
        self._orig_mod = model
        self._context = context
        self.training = model.training

    def __getattr__(self, name: str) -> Any:
        """What the model says about itself, such as its `config`."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("_orig_mod"), name)

    @property
    def model(self) -> torch.nn.Module:
        """The language model itself."""
        return self._orig_mod

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the model returns."""
        with self._context():
            return self._orig_mod(*args, **kwargs)
