"""What each slot of a mixed stream shows: a function of (seed, slot) and nothing else."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse_guard.mixing.quota import Quota
from collapse_guard.mixing.stream import RowStream


@dataclass(frozen=True, eq=False)
class MixPlan:
    """Sends each slot to a row of one of the two sources.

    Nothing is drawn and nothing is remembered, so that any process, worker or resumed run finds
    the same row in the same slot.

    Attributes:
        quota: Which slots are human.
        human: Rows of the human slots; None where there are none.
        synthetic: Rows of the other slots; None where there are none.
    """

    quota: Quota
    human: RowStream | None
    synthetic: RowStream | None

    def locate(
        self, slots: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Where the row of each slot comes from.

        Args:
            slots: int64 of shape (n,), at least 0.

        Returns:
            bool of shape (n,), whether the row is human, and int64 of shape (n,), its number in
            its source.
        """
        human = self.quota.is_human(slots)
        human_before = self.quota.human_before(slots)
        rows = np.empty_like(slots)
        if self.human is not None:
            rows[human] = self.human.rows(human_before[human])
        if self.synthetic is not None:
            rows[~human] = self.synthetic.rows((slots - human_before)[~human])
        return human, rows
