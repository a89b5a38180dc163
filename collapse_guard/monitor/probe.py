"""Taking looks at a model: all of a panel, a part of it, and what the model writes."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from collapse_guard.distributed import all_or_none, of_first_process
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.model.adapters import without_adapters
from collapse_guard.readings.baseline import Baseline
from collapse_guard.readings.panel_sums import BandSums, PanelScores, score_bands, score_panel
from collapse_guard.readings.sampled import make_sampled_readings
from collapse_guard.readings.sampling import Sampling, draw_samples
from collapse_guard.readings.teacher_forced import take_baseline
from collapse_guard.statistics.estimates import Estimate


@dataclass(frozen=True, eq=False)
class Looker:
    """How looks are taken, the same way at each: nothing is kept from one to the next.

    Attributes:
        panel: The held-out human text.
        batch_size: Windows per forward pass, at least 1.
        sampling: How much the model writes; None for nothing.
        across_processes: Whether the processes of a distributed run share the windows.

    Raises:
        ArgumentError: At construction, for a batch size below 1.
    """

    panel: HeldOutPanel
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

    def look_at_all(self, model: torch.nn.Module) -> PanelScores:
        """What the model gives on the whole panel."""
        return score_panel(
            model,
            self.panel,
            batch_size=self.batch_size,
            across_processes=self.across_processes,
        )

    def look_at(self, model: torch.nn.Module, windows: torch.Tensor) -> BandSums:
        """What the model gives on some windows: int64 of shape (windows,)."""
        return score_bands(
            model,
            self.panel,
            windows,
            batch_size=self.batch_size,
            across_processes=self.across_processes,
        )

    def look_without_adapters(self, model: torch.nn.Module) -> Baseline:
        """What the model gives without its adapters."""
        with without_adapters(model):
            return take_baseline(self.panel, self.look_at_all(model))

    def let_write(self, model: torch.nn.Module) -> Mapping[str, Estimate]:
        """Readings of what the model writes, by name; none without `sampling`."""
        if self.sampling is None:
            return {}
        with all_or_none():
            samples = draw_samples(model, self.panel, self.sampling)
            mine = make_sampled_readings(samples, self.panel)
        # Every process writes the same text but for rounding; the first one's is what counts.
        agreed = of_first_process([number for each in mine.values() for number in each[:2]])
        return {
            name: each._replace(value=value, standard_error=error)
            for (name, each), value, error in zip(
                mine.items(), agreed[::2], agreed[1::2], strict=True
            )
        }
