"""Rare human rows of a stream, which are shown in more passes than common ones."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import understood
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.mixing.strata.boost import RareBoost
from collapse_guard.mixing.strata.ranking import Ranking
from collapse_guard.mixing.strata.rarity import class_of, rank_human_rows
from collapse_guard.rows.row_source import RowSource, can_be_read_by_number
from collapse_guard.rows.source import Source

_SAMPLE = "give e.g. RareBoost(3.0, by=..., sample=list(islice(stream, 10_000)))"


@dataclass(frozen=True, eq=False)
class StreamBoost:
    """What a sample of human rows has told of what is rare.

    Attributes:
        boost: As the user gave it.
        cuts: Between its strata: float32, rising.
        shares: Of the passes that show a row of each stratum: `times` as many of the rarest as of
            the commonest, which is all of them.
        rarities: Of the classes in the sample, where rarity is that of a class; others are rarer.
    """

    boost: RareBoost
    cuts: npt.NDArray[np.float32]
    shares: npt.NDArray[np.float64]
    rarities: Mapping[Hashable, float] | None

    def qualities(self, rows: Sequence[Any]) -> npt.NDArray[np.float64]:
        """The share of the passes that is to show each row: float64 of shape (rows,).

        Raises:
            ArgumentError: What rarity is read from is missing, or is no rarity.
            TokenizerMismatchError: A row has token ids that the reference does not know.
        """
        if self.rarities is None:
            values = rank_human_rows([RowSource("human rows", list(rows))], self.boost)[0].values
        else:
            column = str(self.boost.by)
            with understood("by", column, expected="a column of each row", hint="name another"):
                classes = [class_of(row[column], column) for row in rows]
            rarities = [self.rarities.get(of_row, np.inf) for of_row in classes]
            values = np.array(rarities, dtype=np.float32)
        groups = Ranking(values, self.cuts).groups(slice(None))
        return self.shares[groups]


def boost_of_stream(boost: Any, sources: Sequence[Source]) -> StreamBoost | None:
    """What a boost comes to where the rows are not known beforehand.

    Args:
        boost: As of `MixStream`.
        sources: Of the stream.

    Raises:
        ArgumentError: It has no sample, or says what is rare in a way that a stream has no use for.
        TokenizerMismatchError: The sample has token ids that the boost's reference does not know.
    """
    if boost is None:
        return None
    if not isinstance(boost, RareBoost) or boost.sample is None:
        raise bad_argument(
            "boost",
            expected="a RareBoost with a sample of human rows, as a stream does not show them "
            "beforehand",
            given=boost,
            hint=_SAMPLE,
        )
    by_number = [s.name for s in sources if s.kind == "human" and can_be_read_by_number(s.rows)]
    if by_number:
        raise bad_argument(
            "boost",
            expected="None where human rows are read by number",
            given=boost,
            hint=f"boost {by_number[0]!r} with MixGuard, or give it as a stream",
        )
    if not (isinstance(boost.by, str | HumanReference) or callable(boost.by)):
        raise bad_argument(
            "by",
            expected="a HumanReference, the name of a column or a function, for a stream",
            given=boost.by,
            hint="numbers tell of rows whose number is known",
        )
    sample = RowSource("sample", boost.sample)
    ranking = rank_human_rows([sample], boost)[0]
    weights = np.array([float(weight) for weight in boost.weights(ranking.num_groups)])
    rarities = None
    if isinstance(boost.by, str):
        rows = sample.read(range(len(sample)))
        classes = [class_of(row[boost.by], boost.by) for row in rows]
        rarities = dict(zip(classes, ranking.values.tolist(), strict=True))
    return StreamBoost(boost, ranking.cuts, weights / weights.max(), rarities)
