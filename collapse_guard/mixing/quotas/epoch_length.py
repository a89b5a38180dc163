"""How long an epoch can be before a source runs dry, and who then gets which slots."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import MOST
from collapse_guard.errors import ArgumentError, bad_argument
from collapse_guard.mixing.floor import Era, Stages, eras_of, floor_segments
from collapse_guard.mixing.order.slots import Leg
from collapse_guard.mixing.quotas.quota import Quota
from collapse_guard.mixing.quotas.split import Dry, split_slots


@dataclass(frozen=True, eq=False)
class EpochSplit:
    """Who gets which slots of all epochs.

    Attributes:
        slots: Of an epoch.
        eras: The human floor of all epochs.
        legs: One for each segment of each era.
        draws: int64 of shape (eras, sources), what an epoch of each era asks of each source.
    """

    slots: int
    eras: tuple[Era, ...]
    legs: tuple[Leg, ...]
    draws: npt.NDArray[np.int64]


def split_epochs(
    quotas: Sequence[Quota], stages: Stages, *, slots: int, epochs: int, block_size: int
) -> EpochSplit:
    """Split epochs of so many slots, or of fewer where a source says to stop when it is dry.

    Args:
        quotas: Of all sources, checked by `check_quotas`.
        stages: Of the human floor, over all epochs.
        slots: Of an epoch, a whole number of blocks.
        epochs: Number of epochs.
        block_size: Slots of a block.

    Raises:
        ArgumentError: The epoch is too long for the rows of a source.
    """

    def split(quotas: Sequence[Quota], blocks: int) -> EpochSplit | Dry:
        segments = floor_segments(stages, blocks=blocks * epochs, block_size=block_size)
        eras = eras_of(segments, blocks_per_epoch=blocks)
        by_era = split_slots(quotas, eras, block_size)
        if isinstance(by_era, Dry):
            return by_era
        draws = [[leg.draws for leg in legs] for legs in by_era]
        return EpochSplit(
            slots=blocks * block_size,
            eras=tuple(eras),
            legs=tuple(leg for legs in by_era for leg in legs),
            draws=np.array([np.sum(of_era, axis=0) for of_era in draws], dtype=np.int64),
        )

    blocks = slots // block_size
    result = split(quotas, blocks)
    if isinstance(result, Dry) and any(quota.when_dry == "stop" for quota in quotas):
        # Sources that must not run dry have no say in where the others stop.
        stopping = [
            replace(quota, max_repeats=MOST) if quota.when_dry == "error" else quota
            for quota in quotas
        ]
        longest = most_that_works(lambda more: not isinstance(split(stopping, more), Dry), blocks)
        if longest:
            result = split(quotas, longest)
    if isinstance(result, Dry):
        longest = most_that_works(lambda more: not isinstance(split(quotas, more), Dry), blocks)
        raise _too_long(quotas[result.source], result.draws, slots, longest * block_size)
    return result


def most_that_works(works: Callable[[int], bool], most: int) -> int:
    """The largest number that works, up to `most`; all below it do. 0 is not tried."""
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if works(middle) else (low, middle)
    return low


def _too_long(quota: Quota, draws: int, slots: int, most: int) -> ArgumentError:
    return bad_argument(
        "length",
        expected=f"at most {most} slots, so that none of the {quota.rows} rows in "
        f"`{quota.name}` is shown more than max_repeats={quota.max_repeats} times in an epoch",
        given=slots,
        hint=f"{draws} of these slots are {quota.name}; give more {quota.name} rows, a smaller "
        "length, another human_fraction or a larger max_repeats, or say in Source(when_dry=...) "
        "what to do",
    )
