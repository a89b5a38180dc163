"""Monitors whose looks fail at some steps, as they do where a model breaks."""

import math
from typing import Any

import torch

from collapse_guard import CollapseMonitor, EveryNSteps
from tests.tiny import tiny_panel


class FailsAt(CollapseMonitor):
    """At some steps its model raises, or gives what is not a number."""

    steps: tuple[int, ...] = ()
    how = "raises"

    def _look_at_all(self, model: torch.nn.Module, step: int) -> Any:
        if step not in self.steps:
            return super()._look_at_all(model, step)
        if self.how == "raises":
            raise ValueError("broken")

        def spoilt(module: Any, args: Any, kwargs: Any, output: Any) -> Any:
            output.logits = output.logits * math.nan
            return output

        handle = model.register_forward_hook(spoilt, with_kwargs=True)
        try:
            return super()._look_at_all(model, step)
        finally:
            handle.remove()


def failing(*steps: int, how: str = "raises") -> FailsAt:
    monitor = FailsAt(tiny_panel(), rules=[], pace=EveryNSteps(1_000), sampling=None)
    monitor.steps, monitor.how = steps, how
    return monitor
