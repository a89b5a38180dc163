"""Which part of a panel is looked at next, and what is known of all of it meanwhile."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.readings.panel import Panel
from collapse_guard.readings.panel_sums import BandDocuments, BandSums, PanelScores
from collapse_guard.statistics.json_forms import Part, RestoredWhole

Floats = npt.NDArray[np.float64]

MEMORY = 0.25
"""Time constant of the exponential weights, in panels: a window since which a quarter of a panel's
worth of windows was looked at counts exp(-1) of one that was looked at just now."""


_SUMS = ("tail_logprob", "tail_prob", "head_logprob")


class Rotation(RestoredWhole):
    """Micro-panels that go round a panel, and the exponentially weighted estimate they add up to.

    The estimate is that of the last look at the whole panel, plus how far the model has moved
    since on the windows that were looked at since: the same windows under both, so that what
    documents differ in cancels (a difference estimator: Cochran 1977, Sampling Techniques, section
    7.4). Of these a window counts exp(-a / (MEMORY x windows)), a being the number of windows that
    were looked at since it was: recent looks count most, and no document counts twice, however
    often the panel has been gone round. What was looked at before tells nothing of what the model
    has become since, and counts nothing. While it goes round at an even pace, the movement is
    taken from 48% of the panel's windows and lags 0.23 rounds behind; where the model moves much
    within a round, so late is the estimate.

    The order is drawn once, by a generator of its own: first windows of all documents, then second
    windows, and so on, so that a micro-panel holds as many documents as it can.

    Args:
        panel: The held-out text.

    Attributes:
        num_windows: Windows of the panel.
        whole: What the model gave on each window at the last look at all of them.
        latest: What it gave on each window when that was last looked at.
        is_complete: Whether the whole panel has been looked at, before which there is no estimate.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self.num_windows = len(panel)
        owners = panel.document_ids.numpy()
        shuffled = np.random.default_rng(0).permutation(len(owners))
        seen = np.zeros(panel.num_documents, dtype=np.int64)
        place = np.empty(len(owners), dtype=np.int64)
        for window in shuffled:
            place[window] = seen[owners[window]]
            seen[owners[window]] += 1
        self._order = shuffled[np.argsort(place[shuffled], kind="stable")]
        self._cursor = 0
        self._looked = 0
        self._looked_at = np.zeros(len(owners), dtype=np.int64)
        self._whole_at = 0
        self.whole = BandSums(*np.zeros((3, len(owners))))
        self.latest = BandSums(*np.zeros((3, len(owners))))
        self.is_complete = False

    def next(self, num_windows: int) -> torch.Tensor:
        """The windows whose turn it is: int64 of shape (num_windows,), at most the panel's."""
        places = (self._cursor + np.arange(num_windows)) % len(self._order)
        return torch.from_numpy(self._order[places])

    def update(self, windows: torch.Tensor, sums: BandSums) -> None:
        """Take in a look at some windows, those of `next`.

        Args:
            windows: int64 of shape (windows,).
            sums: What the model gave on them, in their order.
        """
        self._cursor = (self._cursor + len(windows)) % len(self._order)
        self._looked += len(windows)
        self._take(windows.numpy(), sums)

    def update_all(self, scores: PanelScores | BandSums) -> None:
        """Take in a look at the whole panel; the next windows' turn stays theirs."""
        self._looked += len(self._order)
        self._take(np.arange(len(self._order)), scores)
        self._whole_at = self._looked
        self.whole = BandSums(*(np.array(getattr(self.latest, name)) for name in _SUMS))
        self.is_complete = True

    @property
    def freshness(self) -> Floats:
        """float64 of shape (windows,), from 0 to 1: how much each window's movement counts.

        All 0 just after a look at the whole panel, when nothing has moved yet.
        """
        age = self._looked - self._looked_at
        weights: Floats = np.exp(-age / (MEMORY * len(self._order)))
        weights[self._looked_at <= self._whole_at] = 0.0
        return weights

    def moved(self) -> BandDocuments | None:
        """How far the model has moved since the last look at the whole panel; None just after it.

        On the windows that were looked at since, each document as much as its windows are fresh.
        """
        freshness = self.freshness
        if not freshness.any():
            return None
        latest, whole = self.latest, self.whole
        movement = BandSums(
            latest.tail_logprob - whole.tail_logprob,
            latest.tail_prob - whole.tail_prob,
            latest.head_logprob - whole.head_logprob,
        )
        return BandDocuments.of(self._panel, movement, freshness)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, in plain JSON types."""
        return {
            "cursor": self._cursor,
            "is_complete": self.is_complete,
            "ages": (self._looked - self._looked_at).tolist(),
            "age_of_whole": self._looked - self._whole_at,
            "latest": {name: getattr(self.latest, name).tolist() for name in _SUMS},
            "whole": {name: getattr(self.whole, name).tolist() for name in _SUMS},
        }

    def restoring(self, state: Part) -> Callable[[], None]:
        """As `RestoredWhole.restoring`; refuses a state of another panel too."""
        parts = state.keys("cursor", "is_complete", "ages", "age_of_whole", "latest", "whole")
        cursor = parts["cursor"].whole(most=self.num_windows - 1)
        is_complete = parts["is_complete"].flag()
        age_of_whole = parts["age_of_whole"].whole()
        # What was looked at last with the whole panel, or never, is as old as that.
        ages = parts["ages"].wholes(self.num_windows, most=age_of_whole)
        latest, whole = (self._sums(parts[name]) for name in ("latest", "whole"))

        def restore() -> None:
            self._cursor, self._looked, self.is_complete = cursor, 0, is_complete
            self._looked_at, self._whole_at = -ages, -age_of_whole
            self.latest, self.whole = latest, whole

        return restore

    def _sums(self, state: Part) -> BandSums:
        parts = state.keys(*_SUMS)
        return BandSums(*(parts[name].numbers(self.num_windows) for name in _SUMS))

    def _take(self, windows: npt.NDArray[np.int64], sums: BandSums | PanelScores) -> None:
        self.latest.tail_logprob[windows] = sums.tail_logprob
        self.latest.tail_prob[windows] = sums.tail_prob
        self.latest.head_logprob[windows] = sums.head_logprob
        self._looked_at[windows] = self._looked
