"""The trained tokens of the rows that an epoch draws, in the order in which they are drawn."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from collapse_guard.errors import bad_argument
from collapse_guard.mixing.order.interleave import Interleave
from collapse_guard.mixing.order.row_order import RowOrder
from collapse_guard.mixing.quotas.quota import Quota
from collapse_guard.mixing.strata.strata import Strata

_DRAWS_AT_A_TIME = 1 << 16


@dataclass(frozen=True, eq=False)
class DrawnTokens:
    """What all epochs draw, where each asks as many rows of a source as any other.

    Attributes:
        orders: The rows of each source.
        draws: Draws that an epoch asks of each.
        lengths: For each source int32 of shape (rows,), the trained tokens of each row.
        human: bool of shape (num_sources,), which sources are human.
    """

    orders: tuple[RowOrder, ...]
    draws: tuple[int, ...]
    lengths: tuple[npt.NDArray[np.int32], ...]
    human: npt.NDArray[np.bool_]

    def totals(self, epoch: int) -> tuple[int, int]:
        """The tokens that an epoch draws of all human and of all synthetic sources."""
        sums = [0, 0]
        for source, draws in enumerate(self.draws):
            for turns in _parts(draws):
                sums[not self.human[source]] += int(self._tokens(source, turns, epoch).sum())
        return sums[0], sums[1]

    def drawn(
        self, epoch: int, *, human: bool
    ) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int32]]:
        """The rows of one kind, one after another.

        Args:
            epoch: From 0.
            human: Which kind.

        Returns:
            int16 and int32 of shape (draws of this kind,): the source of each, and its tokens.
        """
        ours = np.flatnonzero(self.human == human)
        shares = [self.draws[source] for source in ours]
        from_source = np.zeros(sum(shares), dtype=np.int16)
        tokens = np.zeros(sum(shares), dtype=np.int32)
        split = Interleave(shares or [0])
        for places in _parts(sum(shares)):
            leaves, turns = split.locate(places)
            from_source[places] = ours[leaves]
            for leaf, source in enumerate(ours.tolist()):
                chosen = leaves == leaf
                tokens[places[chosen]] = self._tokens(source, turns[chosen], epoch)
        return from_source, tokens

    def _tokens(
        self, source: int, turns: npt.NDArray[np.int64], epoch: int
    ) -> npt.NDArray[np.int32]:
        rows, _ = self.orders[source].rows(turns + epoch * self.draws[source])
        return self.lengths[source][rows]


def mean_tokens(quota: Quota, strata: Strata, lengths: npt.NDArray[np.int32]) -> Fraction:
    """The tokens of a draw of one source, on average, as its strata are shown.

    Args:
        quota: Of the source.
        strata: Its rows.
        lengths: int32 of shape (rows,), their trained tokens.

    Raises:
        ArgumentError: They have none at all.
    """
    ordered = lengths if strata.order is None else lengths[strata.order]
    until = np.concatenate([[0], np.cumsum(ordered, dtype=np.int64)])
    ends = np.cumsum(strata.sizes)
    sums = (until[ends] - until[ends - strata.sizes]).tolist()
    weights = strata.weights or [Fraction(1)] * len(sums)
    tokens = sum(weight * total for weight, total in zip(weights, sums, strict=True))
    if not tokens:
        raise bad_argument(
            quota.name,
            expected="rows with tokens that are trained on",
            given="none in any row that may be shown",
            hint="leave the source out; labels that are all -100 train nothing",
        )
    sizes = strata.sizes.tolist()
    rows = sum(weight * size for weight, size in zip(weights, sizes, strict=True))
    return Fraction(tokens) / Fraction(rows)


def _parts(count: int) -> Iterator[npt.NDArray[np.int64]]:
    for start in range(0, count, _DRAWS_AT_A_TIME):
        yield np.arange(start, min(start + _DRAWS_AT_A_TIME, count))
