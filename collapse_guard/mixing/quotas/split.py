"""Shares the slots of a stream out among its sources, before any row is looked at."""

from collections.abc import Sequence
from dataclasses import dataclass

from collapse_guard.mixing.floor import EpochRun, Segment
from collapse_guard.mixing.order.slots import Leg
from collapse_guard.mixing.quotas.apportion import apportion
from collapse_guard.mixing.quotas.quota import Claim


@dataclass(frozen=True)
class Dry:
    """A source whose rows do not suffice.

    Attributes:
        source: Its number.
        draws: What an epoch would ask of it.
    """

    source: int
    draws: int


def share_out(
    claims: Sequence[Claim], runs: Sequence[EpochRun], block_size: int
) -> list[list[Leg]] | Dry:
    """Who gets which slots.

    Args:
        claims: Of all sources, checked by `check_fractions`.
        runs: The human floor of all epochs.
        block_size: Slots of a block.

    Returns:
        The legs of each run, one for each of its segments; or the first source whose rows do not
        suffice.
    """
    legs: list[list[Leg]] = []
    for run in runs:
        shared = _share_epoch(claims, run.segments, block_size)
        if isinstance(shared, Dry):
            return shared
        legs.append(
            [
                Leg(
                    segment.blocks,
                    run.epochs,
                    segment.human_per_block,
                    floor,
                    rest,
                    *_reserved(claims, segment, block_size),
                )
                for segment, (floor, rest) in zip(run.segments, shared, strict=True)
            ]
        )
    return legs


_Shares = tuple[tuple[int, ...], tuple[int, ...]]


def _share_epoch(
    claims: Sequence[Claim], segments: Sequence[Segment], block_size: int
) -> list[_Shares] | Dry:
    """The draws of the floor's slots, and of the others, of each segment of an epoch."""
    limits = [[segment.blocks * block_size for _ in claims] for segment in segments]
    limited: set[int] = set()
    while True:
        shares = []
        for segment, limit in zip(segments, limits, strict=True):
            shared = _share_segment(claims, segment, limit, block_size)
            if isinstance(shared, Dry):
                return shared
            shares.append(shared)
        draws = [[a + b for a, b in zip(*shared, strict=True)] for shared in shares]
        totals = [sum(of_segment) for of_segment in zip(*draws, strict=True)]
        dry = [s for s, claim in enumerate(claims) if totals[s] > claim.supply]
        hand_over = [s for s in dry if claims[s].when_dry == "human" and s not in limited]
        if not hand_over:
            return Dry(dry[0], totals[dry[0]]) if dry else shares
        limited.update(hand_over)
        for s in hand_over:
            # What rows there are goes to the segments in proportion to what each would take.
            wanted = [of_segment[s] for of_segment in draws]
            taking = [i for i, want in enumerate(wanted) if want]
            given = apportion(
                claims[s].supply,
                [wanted[i] for i in taking],
                [0] * len(taking),
                [wanted[i] for i in taking],
            )
            for i, part in zip(taking, given, strict=True):
                limits[i][s] = part


def _share_segment(
    claims: Sequence[Claim], segment: Segment, limits: Sequence[int], block_size: int
) -> _Shares | Dry:
    slots = segment.blocks * block_size
    floor_slots = segment.blocks * segment.human_per_block
    least = [segment.blocks * claim.reserved(block_size) for claim in claims]
    human = [s for s, claim in enumerate(claims) if claim.is_human]
    synthetic = [s for s, claim in enumerate(claims) if not claim.is_human]
    rest = [0] * len(claims)

    # Synthetic sources first, as if their rows sufficed: what is missing is for human ones only.
    caps = {s: claims[s].most(slots) for s in synthetic}
    for s, draws in _apportioned(claims, synthetic, slots - floor_slots, least, caps).items():
        rest[s] = min(draws, limits[s])
        if rest[s] < least[s]:
            return Dry(s, draws)
    handed_over = slots - floor_slots - sum(rest)

    caps = {s: min(claims[s].most(slots), limits[s]) for s in human}
    for s in human:
        if caps[s] < least[s]:
            return Dry(s, least[s])
    if floor_slots + handed_over > sum(caps.values()):
        # Nothing is handed over, or capped by its rows, but by a source that was limited.
        dry = next(s for s in [*human, *synthetic] if limits[s] < slots)
        return Dry(dry, floor_slots if claims[dry].is_human else slots - floor_slots)
    total = _apportioned(claims, human, floor_slots + handed_over, least, caps)
    taking = [s for s in human if total[s] > least[s]]
    extra = apportion(
        handed_over,
        [total[s] for s in taking],
        [0] * len(taking),
        [total[s] - least[s] for s in taking],
    )
    for s, draws in zip(taking, extra, strict=True):
        rest[s] = draws
    floor = [total.get(s, 0) - rest[s] if claim.is_human else 0 for s, claim in enumerate(claims)]
    return tuple(floor), tuple(rest)


def _apportioned(
    claims: Sequence[Claim],
    sources: Sequence[int],
    total: int,
    least: Sequence[int],
    most: dict[int, int],
) -> dict[int, int]:
    shares = apportion(
        total,
        [claims[s].weight for s in sources],
        [least[s] for s in sources],
        [most[s] for s in sources],
    )
    return dict(zip(sources, shares, strict=True))


def _reserved(claims: Sequence[Claim], segment: Segment, block_size: int) -> _Shares:
    reserved = [segment.blocks * claim.reserved(block_size) for claim in claims]
    return (
        tuple(r if claim.is_human else 0 for r, claim in zip(reserved, claims, strict=True)),
        tuple(0 if claim.is_human else r for r, claim in zip(reserved, claims, strict=True)),
    )
