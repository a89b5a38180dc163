"""What a look has seen of a model: all that readings are made of."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.errors import CollapseGuardError
from collapse_guard.readings.baseline import Baseline
from collapse_guard.readings.panel import Panel
from collapse_guard.readings.panel_sums import BandDocuments, BandSums, PanelScores
from collapse_guard.readings.sampling import Samples
from collapse_guard.statistics.estimates import Estimate

Floats = npt.NDArray[np.float64]


def _write_nothing() -> Samples:
    raise CollapseGuardError(
        "the model is not let write here: give the monitor sampling=Sampling()."
    )


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a look has seen.

    Attributes:
        model: The model, as it is called: a causal language model, wrapped or not.
        panel: The held-out data.
        step: The training step after which the look was taken.
        sums: What the model gave on each window at the last look at the whole panel, which may be
            this one.
        start: The run's start; at the start itself, the start that is being taken; None while
            that is not known.
        scores: What it gave on the whole panel, `position_logprobs` among it; None where this is a
            look at a part.
        moved: How far it has moved since the last look at the whole panel, where this is at a part
            and something has moved.
        at_whole: What readings of head and tail were at the last look at the whole panel, by what
            reads them; filled on first use.
        base: What the model without its adapters gives, where it is compared with.
        control: What the control run gave at this step, where it is compared with and its track
            goes so far; at looks at the whole panel alone.
        prequential: Readings of human rows that were read off the training.
        write: Lets the model write, once for all readings of the look.
        batch_size: Windows per forward pass.
    """

    model: torch.nn.Module
    panel: Panel
    step: int
    sums: BandSums | PanelScores
    start: Baseline | None
    scores: PanelScores | None = None
    moved: BandDocuments | None = None
    at_whole: dict[Hashable, Estimate] = field(default_factory=dict)
    base: Baseline | None = None
    control: Baseline | None = None
    prequential: Mapping[str, Estimate] = field(default_factory=dict)
    write: Callable[[], Samples] = field(default=_write_nothing)
    batch_size: int = 16

    @property
    def whole(self) -> PanelScores:
        """The scores of the whole panel.

        Raises:
            CollapseGuardError: This is a look at a part of it.
        """
        if self.scores is None:
            raise CollapseGuardError(
                "a look at a part of the panel has no scores of the whole: give the reading "
                'cost="whole panel", so that it is taken where there are some.'
            )
        return self.scores

    @property
    def written(self) -> Samples:
        """What the model writes.

        Raises:
            CollapseGuardError: The monitor does not let it write.
        """
        return self.write()

    def kept(self, name: str) -> Any:
        """What the reading of this name has kept of the start.

        Raises:
            CollapseGuardError: Nothing, since the start is another monitor's without it.
        """
        if self.start is None or name not in self.start.kept:
            raise CollapseGuardError(
                f"the run's start has kept nothing for reading {name}: start the run with it."
            )
        return self.start.kept[name]

    def by_document(self, per_window: Floats) -> Floats:
        """Sums over the windows of each document: float64 of shape (documents,).

        Args:
            per_window: float64 of shape (windows,).
        """
        sums = np.bincount(self.panel.document_ids.numpy(), weights=per_window)
        return sums.astype(np.float64, copy=False)
