"""How much more often rare human rows are shown, and what makes a row rare."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import whole_number
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.rows.row_source import Rows

Rarity = (
    HumanReference | str | Callable[[Any], float] | Sequence[float] | npt.NDArray[np.number[Any]]
)


@dataclass(frozen=True, eq=False)
class RareBoost:
    """Shows rare human rows more often: for `MixGuard(boost=...)`.

    Rows of all human sources together are cut into strata by rarity. A row of the rarest stratum is
    shown `times` times as often as one of the commonest; strata in between lie on a straight line.
    What `max_repeats` cuts off goes to the other strata, and is told in the log and in the report;
    where it leaves nothing of the boost, or no source has rows of different rarity, `MixGuard`
    refuses. How often a source is shown as a whole is its own weight's, however rare its rows are.

    Attributes:
        times: How many times as often the rarest rows are shown as the commonest, at least 1.
        by: How rare a row is, larger being rarer; one of

            * a `HumanReference`: the mean self-information of the rarest tenth of the token ids in
              `column`, as `collapse_guard.audit.row_rarity` reads it;
            * the name of a column of classes (a label, a domain, a language): -log2 of the class's
              share of the human rows;
            * a function from row to number;
            * one number for each human row, source after source.
        column: The column of token ids, where `by` is a reference.
        num_strata: Groups by rarity, cut at quantiles of all human rows, from 2 to 100. Rows of
            equal rarity share a stratum. No more rarities than this are a stratum each, and many
            rows of one rarity have a stratum of their own.
        sample: For a `MixStream` only, whose rows are not known beforehand: human rows that say how
            rarity is spread, such as the first ten thousand. The strata are cut at their
            quantiles, and a class that is not among them is as rare as the rarest.

    Raises:
        ArgumentError: A value is out of range, or `by` cannot say what is rare. What only the rows
            show, such as a column that is missing, is refused by `MixGuard`.

    Example:
        >>> RareBoost(3.0, by="language").times
        3.0
    """

    times: float
    by: Rarity = field(repr=False)
    column: str = field(default="input_ids", kw_only=True)
    num_strata: int = field(default=10, kw_only=True)
    sample: Rows | None = field(default=None, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.times, int | float) or not 1 <= self.times < 2**1023:
            raise bad_argument(
                "times",
                expected="a number of at least 1",
                given=self.times,
                hint="2.0 shows the rarest rows twice as often as the commonest",
            )
        # Numbers may be of any make that numpy takes: whether they fit, only the rows show.
        has_numbers = hasattr(self.by, "__len__")
        if not (has_numbers or callable(self.by) or isinstance(self.by, HumanReference)):
            raise bad_argument(
                "by",
                expected="a HumanReference, the name of a column, a function or a list of numbers",
                given=self.by,
                hint="build a reference with HumanReference.from_dataset, or leave out the boost",
            )
        if not isinstance(self.column, str):
            raise bad_argument(
                "column",
                expected="the name of a column of token ids",
                given=self.column,
                hint="leave it out for 'input_ids'",
            )
        strata = whole_number("num_strata", self.num_strata, least=2, most=100, hint="give e.g. 10")
        object.__setattr__(self, "num_strata", strata)

    def weights(self, num_strata: int) -> list[Fraction]:
        """Relative exposure of each stratum: 1 for the commonest, `times` for the rarest.

        Args:
            num_strata: Strata that rows were really cut into, at least 1.

        Example:
            >>> [float(weight) for weight in RareBoost(4.0, by=len).weights(3)]
            [1.0, 2.5, 4.0]
        """
        num_strata = whole_number("num_strata", num_strata, least=1, most=100, hint="give e.g. 10")
        step = (Fraction(self.times) - 1) / max(num_strata - 1, 1)
        return [1 + step * stratum for stratum in range(num_strata)]
