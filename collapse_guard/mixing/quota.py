"""Which slots are human: integer arithmetic only, so that the floor is exact."""

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from numbers import Rational
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from collapse_guard.errors import bad_argument
from collapse_guard.mixing.arguments import whole_number


@dataclass(frozen=True)
class Quota:
    """The human floor, as `human_per_block` human slots in every block of `block_size` slots.

    With G the block size and q = ceil(f G), the first t slots hold

        H(t) = floor(t q / G)

    human ones; slot t is human where H(t + 1) > H(t). Everything that is promised follows:

    * A window of n slots from t holds H(t + n) - H(t) human ones. As
      floor(x + y) >= floor(x) + floor(y) and q / G >= f, that is at least floor(n q / G), hence
      at least floor(n f). It is at most ceil(n q / G), so human rows never bunch up either.
    * Where n = m G the same difference is exactly m q, wherever the window starts, and
      m ceil(f G) >= ceil(f m G): every batch of a whole number of blocks holds its share.
    * H(t + m G) = H(t) + m q: the pattern repeats every G slots. A stream whose length is a
      multiple of G therefore keeps the floor across its own end, when a loader runs into the next
      epoch or fills up its last batch from the start.

    Attributes:
        human_fraction: The floor f, exact: a float is read as the decimal that it prints as.
        block_size: G, in slots.
        human_per_block: q, in slots.

    Example:
        >>> quota = Quota.of(0.3, 10)
        >>> quota.human_per_block
        3
        >>> quota.is_human(np.arange(10)).astype(int).tolist()
        [0, 0, 0, 1, 0, 0, 1, 0, 0, 1]
    """

    human_fraction: Fraction
    block_size: int
    human_per_block: int

    @classmethod
    def of(cls, human_fraction: Any, block_size: Any) -> Self:
        """The quota of a floor.

        Args:
            human_fraction: The floor, from 0 to 1: a float, int, `Fraction` or `Decimal`.
            block_size: Slots of a block, at least 1.

        Raises:
            ArgumentError: Either is out of range or not a number.
        """
        fraction = _exact_fraction(human_fraction)
        slots = whole_number(
            "block_size",
            block_size,
            least=1,
            hint="give the global batch: rows per device x devices x accumulation steps",
        )
        # As a decimal, not as the nearest binary number: 0.3 is a hair less than 3/10, 0.1 a hair
        # more than 1/10, and ceil() would turn that hair into a whole row.
        return cls(fraction, slots, math.ceil(fraction * slots))

    def human_before(self, slots: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """H(t): the number of human slots before each slot.

        Args:
            slots: int64 of any shape, at least 0.

        Returns:
            int64 of the same shape.
        """
        blocks, offsets = np.divmod(slots, self.block_size)
        before: npt.NDArray[np.int64] = (
            blocks * self.human_per_block + offsets * self.human_per_block // self.block_size
        )
        return before

    def is_human(self, slots: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether each slot is human: bool of the shape of `slots`."""
        human: npt.NDArray[np.bool_] = self.human_before(slots + 1) > self.human_before(slots)
        return human


def _exact_fraction(value: Any) -> Fraction:
    error = bad_argument(
        "human_fraction",
        expected="a number from 0 to 1",
        given=value,
        hint="give the share of human rows, e.g. 0.3",
    )
    if isinstance(value, bool) or not isinstance(value, Rational | Decimal | float | np.floating):
        raise error
    if not math.isfinite(value):
        raise error
    exact = Fraction(value) if isinstance(value, Rational | Decimal) else Fraction(str(value))
    if not 0 <= exact <= 1:
        raise error
    return exact
