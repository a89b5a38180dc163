"""What a monitor does to a model to see how it is: the same at each look, keeping nothing."""

from dataclasses import dataclass

import torch

from collapse_guard.errors import bad_argument
from collapse_guard.model.adapters import without_adapters
from collapse_guard.readings.baseline import Baseline
from collapse_guard.readings.panel import Panel, ScoresItself
from collapse_guard.readings.panel_sums import PanelScores, score_panel
from collapse_guard.readings.sampling import Sampling
from collapse_guard.readings.take import baseline_of


@dataclass(frozen=True, eq=False)
class Probe:
    """How a model is looked at.

    Attributes:
        panel: The held-out data.
        batch_size: Windows per forward pass, at least 1.
        sampling: How much the model writes; None for nothing, as it becomes for a panel that scores
            itself where it is not required.
        across_processes: Whether the processes of a distributed run share the windows.

    Raises:
        ArgumentError: At construction, for a batch size below 1, or for a required sampling where
            the panel scores itself.
    """

    panel: Panel
    batch_size: int
    sampling: Sampling | None
    across_processes: bool

    def __post_init__(self) -> None:
        if not isinstance(self.batch_size, int) or self.batch_size < 1:
            raise bad_argument(
                "batch_size",
                expected="at least 1 window",
                given=self.batch_size,
                hint="16 is the default",
            )
        if isinstance(self.panel, ScoresItself) and self.sampling is not None:
            if getattr(self.sampling, "required", True):
                raise bad_argument(
                    "sampling",
                    expected="None, since the panel scores itself",
                    given=self.sampling,
                    hint="leave it out: what such a model draws is no text of tokens",
                )
            object.__setattr__(self, "sampling", None)

    def whole(self, model: torch.nn.Module) -> PanelScores:
        """What the model gives on the whole panel."""
        return score_panel(
            model,
            self.panel,
            batch_size=self.batch_size,
            across_processes=self.across_processes,
        )

    def without_adapters(self, model: torch.nn.Module) -> Baseline:
        """What the model gives on the whole panel without its adapters."""
        with without_adapters(model):
            return baseline_of(self.panel, self.whole(model))
