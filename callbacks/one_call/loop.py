"""A loop of one's own as something to be watched."""

from typing import Any

import torch

from collapse_guard.callbacks.one_call.target import Target, stated_length
from collapse_guard.callbacks.session import WatchSession
from collapse_guard.distributed import is_first_process
from collapse_guard.errors import bad_argument
from collapse_guard.monitor.monitor import CollapseMonitor


def of_loop(
    model: torch.nn.Module, *, steps: int | None, tokens_per_step: float | None, **hooks: Any
) -> Target:
    """What is to be known of a loop that trains a model.

    Args:
        model: The language model, wrapped or not.
        steps: Of the run; None where nobody says it.
        tokens_per_step: Of all devices; None where nobody says it.
        hooks: `log` and `save` of the session.

    Raises:
        ArgumentError: It is a LightningModule, which a trainer trains.
    """
    if hasattr(model, "configure_optimizers"):
        raise bad_argument(
            "run",
            expected="the trainer that fits a LightningModule",
            given=f"the module itself, a {type(model).__name__}",
            hint="watch(trainer, model=module, tokenizer=tokenizer, held_out=texts)",
        )

    def join(monitor: CollapseMonitor, **options: Any) -> tuple[WatchSession, Any]:
        return WatchSession(monitor, **options, **hooks), None

    return Target(
        model=model,
        trained=model,
        tokenizer=None,
        training=None,
        counted=stated_length(steps, tokens_per_step),
        is_main=is_first_process(),
        join=join,
        callbacks=[],
        settings=lambda: {"steps": steps, "tokens_per_step": tokens_per_step},
    )
