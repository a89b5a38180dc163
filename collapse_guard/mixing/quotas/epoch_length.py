"""How long an epoch can be before a source runs dry, and who then gets which slots."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import MOST
from collapse_guard.errors import ArgumentError, bad_argument
from collapse_guard.mixing.floor import EpochRun, Stages, epoch_runs, floor_segments
from collapse_guard.mixing.order.slots import Leg
from collapse_guard.mixing.quotas.quota import Claim
from collapse_guard.mixing.quotas.split import Dry, share_out


@dataclass(frozen=True, eq=False)
class SharedEpochs:
    """Who gets which slots of all epochs.

    Attributes:
        slots: Of an epoch.
        runs: The human floor of all epochs.
        legs: One for each segment of each run.
        draws: int64 of shape (runs, sources), what an epoch of each run asks of each source.
    """

    slots: int
    runs: tuple[EpochRun, ...]
    legs: tuple[Leg, ...]
    draws: npt.NDArray[np.int64]


def share_epochs(
    claims: Sequence[Claim], stages: Stages, *, slots: int, epochs: int, block_size: int
) -> SharedEpochs:
    """Share out epochs of so many slots, or of fewer where a source says to stop when it is dry.

    Args:
        claims: Of all sources, checked by `check_fractions`.
        stages: Of the human floor, over all epochs.
        slots: Of an epoch, a whole number of blocks.
        epochs: Number of epochs.
        block_size: Slots of a block.

    Raises:
        ArgumentError: The epoch is too long for the rows of a source.
    """

    def shared(claims: Sequence[Claim], blocks: int) -> SharedEpochs | Dry:
        segments = floor_segments(stages, blocks=blocks * epochs, block_size=block_size)
        runs = epoch_runs(segments, blocks_per_epoch=blocks)
        by_run = share_out(claims, runs, block_size)
        if isinstance(by_run, Dry):
            return by_run
        draws = [[leg.draws for leg in legs] for legs in by_run]
        return SharedEpochs(
            slots=blocks * block_size,
            runs=tuple(runs),
            legs=tuple(leg for legs in by_run for leg in legs),
            draws=np.array([np.sum(of_run, axis=0) for of_run in draws], dtype=np.int64),
        )

    blocks = slots // block_size
    result = shared(claims, blocks)
    if isinstance(result, Dry) and any(claim.when_dry == "stop" for claim in claims):
        # Sources that must not run dry have no say in where the others stop.
        stopping = [
            replace(claim, max_repeats=MOST) if claim.when_dry == "error" else claim
            for claim in claims
        ]
        longest = _longest(lambda blocks: not isinstance(shared(stopping, blocks), Dry), blocks)
        if longest:
            result = shared(claims, longest)
    if isinstance(result, Dry):
        longest = _longest(lambda blocks: not isinstance(shared(claims, blocks), Dry), blocks)
        raise _too_long(claims[result.source], result.draws, slots, longest * block_size)
    return result


def _longest(works: Callable[[int], bool], blocks: int) -> int:
    """The largest number that works, of those from 0 to one that does not."""
    low, high = 0, blocks + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if works(middle) else (low, middle)
    return low


def _too_long(claim: Claim, draws: int, slots: int, most: int) -> ArgumentError:
    return bad_argument(
        "length",
        expected=f"at most {most} slots, so that none of the {claim.rows} rows in "
        f"`{claim.name}` is shown more than max_repeats={claim.max_repeats} times in an epoch",
        given=slots,
        hint=f"{draws} of these slots are {claim.name}; give more {claim.name} rows, a smaller "
        "length, another human_fraction or a larger max_repeats, or say in Source(when_dry=...) "
        "what to do",
    )
