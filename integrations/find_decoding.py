"""Finding how rows were drawn with the settings of the run that is to train on them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from collapse_guard.arguments import function, optional
from collapse_guard.errors import bad_argument
from collapse_guard.finder.find import find_decoding
from collapse_guard.finder.search import DecodingSearch
from collapse_guard.human_text.documents import Document
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.model.language_part import InContext, obvious_model
from collapse_guard.rows.row_source import Rows


def find_decoding_for(
    target: Any,
    rows: Rows,
    held_out: Sequence[Document] | HeldOutPanel,
    *,
    model: Callable[[Any], torch.nn.Module] | None = None,
    **settings: Any,
) -> DecodingSearch:
    """`find_decoding` with what a trainer or a module says of its own training.

    Call it before the training begins. Trainer and module are left as they were.

    * Of a Hugging Face `Trainer`, TRL's among them: its model; its optimizer as `create_optimizer`
      makes it, with its groups for weight decay, at its peak learning rate; the rows of a process's
      batch, accumulation and all, `per_device_train_batch_size` of them at once; `max_grad_norm`;
      and autocast to bfloat16. Under fp16 trials compute in float32, as nothing scales their loss.
      Gradient checkpointing is not used, and logits are made whole: where memory is short, give
      a smaller `micro_batch_size`.
    * Of a Lightning module: the model inside of it; the one optimizer that `configure_optimizers`
      makes, at the highest rate that its groups name (`max_lr` or `initial_lr`, where a schedule
      has noted one); and the clipping and the precision of its trainer, where it has one.

    Args:
        target: A `Trainer`, or a `LightningModule`.
        rows: The synthetic rows, as in `find_decoding`.
        held_out: Human documents as token ids, or a panel that does not judge the run.
        model: Gets the language model out of a Lightning module; found where it is obvious.
        settings: Arguments of `find_decoding`, which go before those of the target.

    Raises:
        ArgumentError: `target` is neither; it shards its model; its optimizer cannot be made anew;
            or as in `find_decoding`.

    Example:
        ```python
        trainer = Trainer(model, arguments, train_dataset=rows)
        search = find_decoding_for(trainer, rows, held_out, progress=print)
        mix = MixGuard(human_rows, Source(rows, "web", "synthetic", decoding=search.decoding))
        ```
    """
    optional(function(hint="leave it out"))("model", model)
    if hasattr(target, "create_optimizer") and hasattr(target, "accelerator"):
        if model is not None:
            raise bad_argument(
                "model", expected="None for a Trainer", given=model, hint="it has one: leave it out"
            )
        found, own = _of_trainer(target)
    elif isinstance(target, torch.nn.Module) and hasattr(target, "configure_optimizers"):
        found, own = _of_module(target, (model or obvious_model)(target))
    else:
        raise bad_argument(
            "target",
            expected="a Hugging Face Trainer or a LightningModule",
            given=type(target).__name__,
            hint="call collapse_guard.find_decoding with the settings of your loop",
        )
    return find_decoding(found, rows, held_out, **{**own, **settings})


def _of_trainer(trainer: Any) -> tuple[torch.nn.Module, dict[str, Any]]:
    for shards in ("is_deepspeed_enabled", "is_fsdp_enabled"):
        if getattr(trainer, shards, False):
            raise bad_argument(
                "target",
                expected="a Trainer whose model is whole on each device",
                given=f"{shards}=True",
                hint="find the decoding on one device, with a smaller model of the same text",
            )
    model, arguments = trainer.model, trainer.args
    if trainer.accelerator.mixed_precision == "bf16":
        model = InContext(model, trainer.accelerator.autocast)
    return model, {
        "optimizer": lambda _: _optimizer_of_trainer(trainer),
        "batch_size": arguments.train_batch_size * arguments.gradient_accumulation_steps,
        "micro_batch_size": arguments.per_device_train_batch_size,
        "max_grad_norm": arguments.max_grad_norm or None,
    }


def _optimizer_of_trainer(trainer: Any) -> torch.optim.Optimizer:
    given = trainer.optimizer
    if given is not None:
        return _made_anew(given)
    try:
        made: torch.optim.Optimizer = trainer.create_optimizer()
    finally:
        trainer.optimizer = given
    return made


def _made_anew(optimizer: Any) -> torch.optim.Optimizer:
    """An optimizer like one that was given ready-made, without what it remembers."""
    while hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    groups = [{**group, "params": list(group["params"])} for group in optimizer.param_groups]
    try:
        made: torch.optim.Optimizer = type(optimizer)(groups)
    except TypeError as error:
        raise bad_argument(
            "target",
            expected="an optimizer that can be made anew out of its groups of parameters",
            given=type(optimizer).__name__,
            hint="give find_decoding_for an `optimizer` that makes it",
        ) from error
    return _at_peak(made)


def _of_module(
    module: torch.nn.Module, model: torch.nn.Module
) -> tuple[torch.nn.Module, dict[str, Any]]:
    own: dict[str, Any] = {"optimizer": lambda _: _optimizer_of_module(module)}
    # The property `trainer` raises where there is none.
    trainer: Any = getattr(module, "_trainer", None)
    if trainer is None:
        return model, own
    clip = trainer.gradient_clip_val
    if clip and trainer.gradient_clip_algorithm in (None, "norm"):
        own["max_grad_norm"] = float(clip)
    if "bf16" in str(trainer.precision):
        model = InContext(model, lambda: trainer.precision_plugin.forward_context())
    return model, own


def _optimizer_of_module(module: Any) -> torch.optim.Optimizer:
    with _attributes_kept(module):
        return _at_peak(_only_optimizer(module.configure_optimizers()))


def _only_optimizer(configured: Any) -> torch.optim.Optimizer:
    """The optimizer in whatever form `configure_optimizers` gives it."""
    if isinstance(configured, torch.optim.Optimizer):
        return configured
    if isinstance(configured, Mapping):
        return _only_optimizer(configured.get("optimizer"))
    if isinstance(configured, list | tuple):
        is_pair = len(configured) == 2 and all(isinstance(each, list) for each in configured)
        optimizers = configured[0] if is_pair else configured
        if len(optimizers) == 1:
            return _only_optimizer(optimizers[0])
    raise bad_argument(
        "target",
        expected="a module whose configure_optimizers gives one optimizer",
        given=configured,
        hint="give find_decoding_for an `optimizer` that makes that of the language model",
    )


def _at_peak(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """The optimizer at the highest rates that its groups name: a warm-up may have lowered them."""
    for group in optimizer.param_groups:
        group["lr"] = group.get("max_lr", group.get("initial_lr", group["lr"]))
    return optimizer


@contextmanager
def _attributes_kept(module: torch.nn.Module) -> Iterator[None]:
    """Undo what a method sets on a module: attributes, and parts of it."""
    before = dict(vars(module))
    parts = {name: dict(value) for name, value in before.items() if isinstance(value, dict)}
    try:
        yield
    finally:
        vars(module).clear()
        vars(module).update(before)
        for name, content in parts.items():
            before[name].clear()
            before[name].update(content)
