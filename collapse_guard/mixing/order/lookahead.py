"""Locates slots ahead of time, because 4,000 at once cost hardly more than 32 do."""

import numpy as np
import numpy.typing as npt

from collapse_guard.mixing.order.plan import Located, MixPlan

_WINDOW = 4096


class LookAhead:
    """A plan, read in order: answers most batches out of the window that it located last.

    The answers are the plan's own, whatever is asked and in whatever order.

    Args:
        plan: The plan.
    """

    def __init__(self, plan: MixPlan) -> None:
        self._plan = plan
        self._start = 0
        self._window = plan.locate(np.empty(0, dtype=np.int64))

    def locate(self, slots: npt.NDArray[np.int64]) -> Located:
        """As `MixPlan.locate`, for at least one slot."""
        low, high = int(slots.min()), int(slots.max())
        if high - low >= _WINDOW:
            return self._plan.locate(slots)
        if low < self._start or high >= self._start + len(self._window.row):
            self._start = low
            self._window = self._plan.locate(np.arange(low, low + _WINDOW))
        places = slots - self._start
        is_human, source, row, is_first = self._window
        return Located(is_human[places], source[places], row[places], is_first[places])
