"""The language model inside a LightningModule, called as the training calls it."""

from collections.abc import Callable
from typing import Any

import torch

from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.model.language_part import InContext, obvious_model
from collapse_guard.readings.prequential import PrequentialReader

require("lightning", "lightning")

from lightning.pytorch import LightningModule, Trainer  # noqa: E402
from lightning.pytorch.strategies import FSDPStrategy  # noqa: E402

ModelGetter = Callable[[LightningModule], torch.nn.Module]
Forward = Callable[[LightningModule, torch.Tensor], Any]


def model_getter(model: ModelGetter | None, forward: Forward | None) -> ModelGetter:
    """What gets the language model out of a module, as the callback's arguments say.

    Raises:
        ArgumentError: Both are given. The function returned raises it where what it gets is no
            model, or where the model is not told and not obvious.
    """
    if model is not None and forward is not None:
        raise bad_argument(
            "forward",
            expected="None where `model` is given",
            given=forward,
            hint="give the one that calls the language model",
        )

    def found(pl_module: LightningModule) -> torch.nn.Module:
        if forward is not None:
            return ByFunction(pl_module, forward)
        language_model = (model or obvious_model)(pl_module)
        if not isinstance(language_model, torch.nn.Module):
            raise bad_argument(
                "model",
                expected="a function that returns a torch.nn.Module",
                given=language_model,
                hint="give model=lambda pl_module: pl_module.net, or forward=",
            )
        return language_model

    return found


def refuse_part_of_sharded(
    model: torch.nn.Module, pl_module: LightningModule, trainer: Trainer
) -> None:
    """Refuse a model whose parameters another module gathers.

    Called by itself it would take itself for the root of all, and the training's own first pass,
    which begins at the real one, would end the run.

    Raises:
        ArgumentError: Its parameters are gathered by a module around it.
    """
    around = [each for each in pl_module.modules() if each is not model and _is_sharded(each)]
    inside = any(model in set(each.modules()) for each in around)
    if not inside and not isinstance(trainer.strategy, FSDPStrategy):
        return
    raise bad_argument(
        "model",
        expected="a model that is the root of what is sharded",
        given=f"a {type(model).__name__} inside of what {type(trainer.strategy).__name__} shards",
        hint="use ModelParallelStrategy and call fully_shard on the language model itself, or give "
        "forward=, a function that calls the module that you called fully_shard on",
    )


def _is_sharded(module: torch.nn.Module) -> bool:
    # What `fully_shard` makes of a module's class.
    return hasattr(type(module), "unshard") and hasattr(type(module), "reshard")


class ByFunction(torch.nn.Module):
    """A module whose logits a function of the user's computes.

    Args:
        pl_module: What the function is given first, and what is held in evaluation mode meanwhile.
        function: Takes it and token ids, and returns logits in a shape that `logits_of` reads.
    """

    def __init__(self, pl_module: LightningModule, function: Forward) -> None:
        super().__init__()
        self.pl_module = pl_module
        self._function = function

    def forward(self, input_ids: torch.Tensor) -> Any:
        """Logits for token ids of shape (rows, tokens)."""
        return self._function(self.pl_module, input_ids)


class AsInTraining(InContext):
    """A model that is called in the trainer's precision, as Lightning's hooks are outside of it.

    Args:
        model: The language model.
        trainer: The trainer that trains it.
    """

    def __init__(self, model: torch.nn.Module, trainer: Trainer) -> None:
        super().__init__(model, lambda: trainer.precision_plugin.forward_context())


def watch_passes(
    reader: PrequentialReader, model: torch.nn.Module, trainer: Trainer
) -> Callable[[], None]:
    """Let a reader read along with a trainer's training passes.

    Returns:
        A function that ends it.

    Raises:
        ArgumentError: Which rows a pass shows cannot be told: there are several processes, to which
            Lightning deals out rows one by one, or several loaders, or a loader that deals out
            batches in its own way.
    """
    loader = trainer.train_dataloader
    batch_size = getattr(loader, "batch_size", None)
    if trainer.world_size > 1 or batch_size is None:
        raise bad_argument(
            "prequential",
            expected="one process, and one DataLoader with a `batch_size`",
            given=f"{trainer.world_size} processes and a {type(loader).__name__}",
            hint="leave it out, or call PrequentialReader.watch yourself",
        )
    passes = trainer.fit_loop.total_batch_idx + 1
    return reader.watch(model, batch_size=batch_size, passes=passes)
