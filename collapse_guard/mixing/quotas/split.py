"""Splits the slots of a stream among its sources, before any row is looked at."""

from collections.abc import Sequence
from dataclasses import dataclass

from collapse_guard.mixing.floor import Era, Segment
from collapse_guard.mixing.order.slots import Leg
from collapse_guard.mixing.quotas.proportion import split_in_proportion
from collapse_guard.mixing.quotas.quota import Quota


@dataclass(frozen=True)
class Dry:
    """A source whose rows do not suffice.

    Attributes:
        source: Its number.
        draws: What an epoch would ask of it.
    """

    source: int
    draws: int


def split_slots(
    quotas: Sequence[Quota], eras: Sequence[Era], block_size: int
) -> list[list[Leg]] | Dry:
    """Who gets which slots.

    Args:
        quotas: Of all sources, checked by `check_quotas`.
        eras: The human floor of all epochs.
        block_size: Slots of a block.

    Returns:
        The legs of each era, one for each of its segments; or the first source whose rows do not
        suffice.
    """
    legs: list[list[Leg]] = []
    for era in eras:
        split = _split_epoch(quotas, era.segments, block_size)
        if isinstance(split, Dry):
            return split
        legs.append(
            [
                Leg(
                    segment.blocks,
                    era.epochs,
                    segment.human_per_block,
                    floor,
                    rest,
                    *_reserved(quotas, segment, block_size),
                )
                for segment, (floor, rest) in zip(era.segments, split, strict=True)
            ]
        )
    return legs


_Split = tuple[tuple[int, ...], tuple[int, ...]]


def _split_epoch(
    quotas: Sequence[Quota], segments: Sequence[Segment], block_size: int
) -> list[_Split] | Dry:
    """The draws of the floor's slots, and of the others, of each segment of an epoch."""
    limits = [[segment.blocks * block_size for _ in quotas] for segment in segments]
    limited: set[int] = set()
    while True:
        splits = []
        for segment, limit in zip(segments, limits, strict=True):
            split = _split_segment(quotas, segment, limit, block_size)
            if isinstance(split, Dry):
                return split
            splits.append(split)
        draws = [[a + b for a, b in zip(*split, strict=True)] for split in splits]
        totals = [sum(of_segment) for of_segment in zip(*draws, strict=True)]
        dry = [s for s, quota in enumerate(quotas) if totals[s] > quota.supply]
        hand_over = [s for s in dry if quotas[s].when_dry == "human" and s not in limited]
        if not hand_over:
            return Dry(dry[0], totals[dry[0]]) if dry else splits
        limited.update(hand_over)
        for s in hand_over:
            # What rows there are goes to the segments in proportion to what each would take.
            wanted = [of_segment[s] for of_segment in draws]
            taking = [i for i, want in enumerate(wanted) if want]
            given = split_in_proportion(
                quotas[s].supply,
                [wanted[i] for i in taking],
                [0] * len(taking),
                [wanted[i] for i in taking],
            )
            for i, part in zip(taking, given, strict=True):
                limits[i][s] = part


def _split_segment(
    quotas: Sequence[Quota], segment: Segment, limits: Sequence[int], block_size: int
) -> _Split | Dry:
    slots = segment.blocks * block_size
    floor_slots = segment.blocks * segment.human_per_block
    least = [segment.blocks * quota.reserved(block_size) for quota in quotas]
    human = [s for s, quota in enumerate(quotas) if quota.is_human]
    synthetic = [s for s, quota in enumerate(quotas) if not quota.is_human]
    rest = [0] * len(quotas)

    # Synthetic sources first, as if their rows sufficed: what is missing is for human ones only.
    caps = {s: quotas[s].most(slots) for s in synthetic}
    for s, draws in _in_proportion(quotas, synthetic, slots - floor_slots, least, caps).items():
        rest[s] = min(draws, limits[s])
        if rest[s] < least[s]:
            return Dry(s, draws)
    handed_over = slots - floor_slots - sum(rest)

    caps = {s: min(quotas[s].most(slots), limits[s]) for s in human}
    for s in human:
        if caps[s] < least[s]:
            return Dry(s, least[s])
    if floor_slots + handed_over > sum(caps.values()):
        # Nothing is handed over, or capped by its rows, but by a source that was limited.
        dry = next(s for s in [*human, *synthetic] if limits[s] < slots)
        return Dry(dry, floor_slots if quotas[dry].is_human else slots - floor_slots)
    total = _in_proportion(quotas, human, floor_slots + handed_over, least, caps)
    taking = [s for s in human if total[s] > least[s]]
    extra = split_in_proportion(
        handed_over,
        [total[s] for s in taking],
        [0] * len(taking),
        [total[s] - least[s] for s in taking],
    )
    for s, draws in zip(taking, extra, strict=True):
        rest[s] = draws
    floor = [total.get(s, 0) - rest[s] if quota.is_human else 0 for s, quota in enumerate(quotas)]
    return tuple(floor), tuple(rest)


def _in_proportion(
    quotas: Sequence[Quota],
    sources: Sequence[int],
    total: int,
    least: Sequence[int],
    most: dict[int, int],
) -> dict[int, int]:
    shares = split_in_proportion(
        total,
        [quotas[s].weight for s in sources],
        [least[s] for s in sources],
        [most[s] for s in sources],
    )
    return dict(zip(sources, shares, strict=True))


def _reserved(quotas: Sequence[Quota], segment: Segment, block_size: int) -> _Split:
    reserved = [segment.blocks * quota.reserved(block_size) for quota in quotas]
    return (
        tuple(r if quota.is_human else 0 for r, quota in zip(reserved, quotas, strict=True)),
        tuple(0 if quota.is_human else r for r, quota in zip(reserved, quotas, strict=True)),
    )
