"""How an epoch is split among sources, where it is open how many of its rows are human."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from collapse_guard.mixing.floor import Era, Segment
from collapse_guard.mixing.quotas.drawn_rows import row_order
from collapse_guard.mixing.quotas.epoch_length import most_that_works
from collapse_guard.mixing.quotas.quota import Quota
from collapse_guard.mixing.quotas.split import Dry, split_slots
from collapse_guard.mixing.strata.strata import Strata
from collapse_guard.mixing.tokens.drawn_tokens import DrawnTokens


@dataclass(frozen=True, eq=False)
class OpenEpochs:
    """Epochs that are alike but for how many of their rows are human, which is open.

    Attributes:
        quotas: Of all sources.
        strata: The rows of each.
        keys: As of `MixSources`.
        lengths: For each source int32 of shape (rows,), the trained tokens of each row.
        slots: Of an epoch.
        epochs: How many there are.
        seed: A whole number from 0.
    """

    quotas: Sequence[Quota]
    strata: Sequence[Strata]
    keys: Sequence[int]
    lengths: tuple[npt.NDArray[np.int32], ...]
    slots: int
    epochs: int
    seed: int

    @property
    def human(self) -> npt.NDArray[np.bool_]:
        """bool of shape (num_sources,), which sources are human."""
        return np.array([quota.is_human for quota in self.quotas])

    def split(self, human_rows: int, slots: int | None = None) -> tuple[int, ...] | Dry:
        """Draws of each source, or the first whose rows do not suffice.

        Args:
            human_rows: Rows of an epoch that are human.
            slots: Of the epoch, where it is not as long as these.
        """
        slots = self.slots if slots is None else slots
        # To the split, the whole epoch is one block: what is held in between is for the merge.
        legs = split_slots(self.quotas, [Era(self.epochs, (Segment(1, human_rows),))], slots)
        return legs if isinstance(legs, Dry) else legs[0][0].draws

    def drawn(self, human_rows: int) -> DrawnTokens:
        """The rows of all epochs, for a number of human rows that the sources allow."""
        draws = self.split(human_rows)
        if isinstance(draws, Dry):
            raise RuntimeError("a number of human rows that sources do not allow was asked for")
        orders = tuple(
            row_order(
                strata,
                draws=[of_source],
                epochs=[self.epochs],
                max_repeats=quota.max_repeats,
                key=(self.seed, key),
            )
            for strata, quota, key, of_source in zip(
                self.strata, self.quotas, self.keys, draws, strict=True
            )
        )
        return DrawnTokens(orders, draws, self.lengths, self.human)

    def ahead(self, human_rows: int, floor: Fraction) -> float:
        """Tokens by which human rows are ahead of their floor, in the epoch with the fewest."""
        drawn = self.drawn(human_rows)
        over = []
        for epoch in range(self.epochs):
            human, synthetic = drawn.totals(epoch)
            over.append((1 - floor) * human - floor * synthetic)
        return float(min(over))

    def bounds(self) -> tuple[int, int] | Dry:
        """The fewest and the most human rows that the sources allow."""
        human = self.human
        bottom = self.slots if human.all() else 0
        top = self.slots if human.any() else 0

        def dry(human_rows: int, kind: bool) -> Dry | None:
            split = self.split(human_rows)
            return split if isinstance(split, Dry) and human[split.source] == kind else None

        if (first := dry(bottom, True)) is not None:
            return first
        most = bottom + most_that_works(lambda more: dry(bottom + more, True) is None, top - bottom)
        if (last := dry(most, False)) is not None:
            return last
        fewer = most_that_works(lambda less: dry(most - less, False) is None, most - bottom)
        return most - fewer, most
