"""What a source may take of a stream, and whether what all may take fits into it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

from collapse_guard.arguments import meant_fraction, share
from collapse_guard.errors import bad_argument
from collapse_guard.mixing.floor import Stages
from collapse_guard.rows.source import Source, WhenDry


@dataclass(frozen=True)
class Quota:
    """What one source may take of a stream.

    Attributes:
        name: Of the source.
        is_human: Whether it is human.
        weight: Its share, relative to that of others of its kind.
        min_fraction: Least share of the whole stream.
        max_fraction: Largest share of the whole stream.
        rows: Rows that may be shown.
        max_repeats: Most times that an epoch may show one of them.
        when_dry: What to do where that is not enough.
    """

    name: str
    is_human: bool
    weight: Fraction
    min_fraction: Fraction
    max_fraction: Fraction
    rows: int
    max_repeats: int
    when_dry: WhenDry

    @classmethod
    def of(cls, source: Source, *, discount: Fraction, rows: int, max_repeats: int) -> Self:
        """The quota of a source.

        Args:
            source: As described by the user.
            discount: Factor on its weight, for its age.
            rows: Rows that may be shown.
            max_repeats: For sources that have none of their own.
        """
        return cls(
            name=source.name,
            is_human=source.kind == "human",
            # What is next to nothing must not become nothing.
            weight=(meant_fraction(source.weight) or Fraction(source.weight)) * discount,
            min_fraction=share("min_fraction", source.min_fraction, hint="give e.g. 0.1"),
            max_fraction=share("max_fraction", source.max_fraction, hint="give e.g. 0.5"),
            rows=rows,
            max_repeats=source.max_repeats or max_repeats,
            when_dry=source.when_dry,
        )

    @property
    def supply(self) -> int:
        """Most draws that an epoch may ask of it."""
        return self.rows * self.max_repeats

    def reserved(self, block_size: int) -> int:
        """Slots of each block that are kept for it."""
        return math.ceil(self.min_fraction * block_size)

    def most(self, slots: int) -> int:
        """Most of so many slots that it may fill."""
        return math.ceil(self.max_fraction * slots)


def quotas_of(
    sources: Sequence[Source], rows: Sequence[int], *, generation_decay: Any, max_repeats: int
) -> list[Quota]:
    """The quotas of all sources.

    Args:
        sources: As described by the user.
        rows: Rows of each that may be shown.
        generation_decay: As of `age_discounts`.
        max_repeats: For sources that have none of their own.

    Raises:
        ArgumentError: The decay is not a number above 0.
    """
    discounts = age_discounts(sources, generation_decay)
    return [
        Quota.of(source, discount=discount, rows=count, max_repeats=max_repeats)
        for source, count, discount in zip(sources, rows, discounts, strict=True)
    ]


def age_discounts(sources: Sequence[Source], generation_decay: Any) -> list[Fraction]:
    """The factor on each source's weight for the age of the model that wrote it.

    Args:
        sources: Human ones have no age: their factor is 1.
        generation_decay: Factor for each generation that a source is older than the newest.

    Raises:
        ArgumentError: The decay is not a number above 0.

    Example:
        >>> models = [Source(["row"], str(g), "synthetic", generation=g) for g in (1, 2, 3)]
        >>> [float(factor) for factor in age_discounts(models, 0.5)]
        [0.25, 0.5, 1.0]
    """
    decay = generation_decay
    if not isinstance(decay, int | float | Fraction) or not 0 < decay < math.inf:
        raise bad_argument(
            "generation_decay",
            expected="a number above 0",
            given=decay,
            hint="0.5 halves the weight of a synthetic source for each generation of age",
        )
    newest = max((each.generation for each in sources if each.kind == "synthetic"), default=0)
    ages = [newest - each.generation if each.kind == "synthetic" else 0 for each in sources]
    factor = meant_fraction(decay) or Fraction(decay)
    return [factor**age for age in ages]


def check_quotas(quotas: Sequence[Quota], stages: Stages, block_size: int) -> None:
    """Refuse quotas that no block of this size can hold.

    Args:
        quotas: Of all sources.
        stages: Of the human floor.
        block_size: Slots of a block.

    Raises:
        ArgumentError: They leave some kind of slots with too many rows, or too few.
    """
    human = {math.ceil(floor * block_size) for _, floor in stages}
    for is_human, kind, slots in (
        (True, "human", human),
        (False, "synthetic", {block_size - slots for slots in human}),
    ):
        ours = [quota for quota in quotas if quota.is_human == is_human]
        names = ", ".join(quota.name for quota in ours)
        fewest, most = min(slots), max(slots)
        reserved = [quota.reserved(block_size) for quota in ours]
        if sum(reserved) > fewest:
            total = float(sum(quota.min_fraction for quota in ours))
            raise bad_argument(
                "min_fraction",
                expected=f"{kind} sources ({names}) whose floors fit into {fewest} of the "
                f"{block_size} slots of a block, which is all that human_fraction leaves to them",
                given=f"{total:g} in all, which takes {sum(reserved)} slots: "
                f"{' + '.join(map(str, reserved))}",
                hint="lower these floors, change human_fraction, or give a larger block_size if "
                "only the rounding up to whole slots is too much",
            )
        total = float(sum(quota.max_fraction for quota in ours))
        if most > block_size * sum(quota.max_fraction for quota in ours):
            raise bad_argument(
                "max_fraction",
                expected=f"{kind} sources ({names}) that may fill {most} of the {block_size} "
                f"slots of a block, a share of {most / block_size:.4g}",
                given=f"{total:g} in all",
                hint="raise these caps, change human_fraction, or add a source",
            )
        for quota in ours:
            if quota.reserved(block_size) > quota.max_fraction * block_size:
                raise bad_argument(
                    "min_fraction",
                    expected=f"a share of {quota.name} that blocks of {block_size} slots can hold "
                    f"below its max_fraction={float(quota.max_fraction):g}",
                    given=f"{float(quota.min_fraction):g}, which takes "
                    f"{quota.reserved(block_size)} slots",
                    hint="give a larger block_size, or a larger max_fraction",
                )
