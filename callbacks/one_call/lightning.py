"""A Lightning `Trainer` as something to be watched."""

import os
from typing import Any

from collapse_guard.callbacks.lightning.callback import CollapseGuard
from collapse_guard.callbacks.one_call.target import Target, stated_length
from collapse_guard.callbacks.session import WatchSession
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.model.language_part import obvious_model
from collapse_guard.monitor.monitor import CollapseMonitor

require("lightning", "lightning")

from lightning.pytorch import LightningModule  # noqa: E402

_TOLD = ("max_steps", "max_epochs", "accumulate_grad_batches", "gradient_clip_val", "precision")
"""Settings that are written down, and no others."""


def of_lightning(
    trainer: Any, module: Any, *, steps: int | None, tokens_per_step: float | None
) -> Target:
    """What is to be known of a trainer and the module that it will fit.

    Args:
        trainer: The trainer, which is left as it is until it is joined.
        module: The LightningModule.
        steps: Of the run; None for the trainer's own number, where it has one.
        tokens_per_step: Of all devices; None where nobody says it.

    Raises:
        ArgumentError: There is no module, or no language model to be found in it.
    """
    if not isinstance(module, LightningModule):
        raise bad_argument(
            "model",
            expected="the LightningModule that the trainer will fit",
            given=module,
            hint="watch(trainer, model=module, tokenizer=tokenizer, held_out=texts)",
        )

    def join(monitor: CollapseMonitor, **options: Any) -> tuple[WatchSession, Any]:
        name = options.get("name")
        if any(isinstance(c, CollapseGuard) and c.name == name for c in trainer.callbacks):
            raise bad_argument(
                "name",
                expected="one that no callback of this trainer has",
                given=name,
                hint="watch a trainer once, or give name=",
            )
        callback = CollapseGuard(monitor, **options)
        trainer.callbacks.insert(0, callback)
        return callback.session, callback

    if steps is None and trainer.max_steps > 0:
        steps = trainer.max_steps
    return Target(
        model=obvious_model(module),
        trained=module,
        tokenizer=getattr(module, "tokenizer", None),
        training=None,
        counted=stated_length(steps, tokens_per_step),
        is_main=trainer.is_global_zero,
        join=join,
        callbacks=trainer.callbacks,
        folder=lambda: _folder(trainer),
        settings=lambda: _settings(trainer),
    )


def _settings(trainer: Any) -> dict[str, object]:
    optimizers = list(trainer.optimizers)
    groups = [group for each in optimizers for group in each.param_groups]
    known = {name: getattr(trainer, name, None) for name in _TOLD}
    return {
        "trainer": type(trainer).__name__,
        "optimizer": [type(each).__name__ for each in optimizers],
        # A schedule may begin at next to nothing, and notes what it is to come to.
        "learning_rate": [group.get("initial_lr", group.get("lr")) for group in groups],
        "weight_decay": [group.get("weight_decay") for group in groups],
        **known,
        "processes": trainer.world_size,
    }


def _folder(trainer: Any) -> str | None:
    # `trainer.log_dir` is asked of all processes together, and only one of them writes.
    known = [getattr(logger, "log_dir", None) for logger in trainer.loggers]
    root = str(trainer.default_root_dir)
    # A folder that nobody has named is the one that the program was started in.
    named = root if os.path.realpath(root) != os.path.realpath(os.curdir) else None
    return next((str(folder) for folder in known if folder), named)
