"""Counts what a mixed stream has shown, out of its plan."""

from collections import Counter
from collections.abc import Sequence
from functools import reduce
from typing import TypedDict

from collapse_guard.mixing.order.plan import MixPlan
from collapse_guard.mixing.reports.report import EpochReport, MixReport, TokenFloor
from collapse_guard.mixing.reports.source_report import SourceReport, StratumReport
from collapse_guard.mixing.strata.boosted import boosted
from collapse_guard.mixing.strata.strata import Ranges, Strata
from collapse_guard.rows.source import Source, told_decoding


def report_slots(plan: MixPlan, sources: Sequence[Source], slots: int) -> MixReport:
    """Report the first `slots` slots of a plan.

    Each epoch takes the same time, however long it is: full rounds are counted, not walked.

    Args:
        plan: The plan.
        sources: Its sources.
        slots: From 0 to all of them.
    """
    total = count_slots(plan, sources, slots)
    begun = -(-slots // plan.slots_per_epoch)
    epochs = [EpochReport(0, slots, total)]
    if begun != 1:
        epochs = [_epoch(plan, sources, epoch, slots) for epoch in range(begun)]
    return MixReport(
        slots=slots,
        block_size=plan.slots.block_size,
        human_per_block=plan.slots.fewest_human,
        sources=total,
        epochs=tuple(epochs),
        token_floor=None
        if plan.tokens is None
        else TokenFloor(float(plan.tokens.floor), plan.tokens.longest),
    )


def count_slots(
    plan: MixPlan, sources: Sequence[Source], slots: int, *, since: int = 0
) -> tuple[SourceReport, ...]:
    """What slots in a row show of each source, in a time that does not depend on its length.

    Args:
        plan: The plan.
        sources: Its sources.
        slots: Slots from `since` up to this number, which is not below it, are counted.
        since: The first slot of an epoch.
    """
    starts = plan.draws_before(since).tolist()
    stops = plan.draws_before(slots).tolist()
    tokens = _tokens(plan, slots, since)
    return tuple(
        _source_report(source, order.strata, order.exposures(stop, since=start), shown)
        for source, order, start, stop, shown in zip(
            sources, plan.orders, starts, stops, tokens, strict=True
        )
    )


def _tokens(plan: MixPlan, slots: int, since: int) -> Sequence[int | None]:
    """Trained tokens of each source in these slots; None where the floor counts rows."""
    before, after = plan.tokens_before(since), plan.tokens_before(slots)
    if before is None or after is None:
        return [None] * len(plan.orders)
    shown: list[int | None] = (after - before).tolist()
    return shown


def _epoch(plan: MixPlan, sources: Sequence[Source], epoch: int, slots: int) -> EpochReport:
    start = epoch * plan.slots_per_epoch
    stop = min(start + plan.slots_per_epoch, slots)
    return EpochReport(epoch, stop - start, count_slots(plan, sources, stop, since=start))


class _Counts(TypedDict):
    rows: int
    shown: int
    unique: int
    repeated: int


def _shown(exposures: Counter[int]) -> int:
    return sum(times * rows for times, rows in exposures.items())


def _counts(exposures: Counter[int]) -> _Counts:
    return {
        "rows": exposures.total(),
        "shown": _shown(exposures),
        "unique": sum(rows for times, rows in exposures.items() if times >= 1),
        "repeated": sum(rows for times, rows in exposures.items() if times >= 2),
    }


def _source_report(
    source: Source, strata: Strata, exposures: Sequence[Counter[int]], tokens: int | None
) -> SourceReport:
    # Rows that are ranked by rarity are reported by it; their quality only steers the draws.
    by_rarity = strata.rarity_ranges is not None
    levels = strata.num_levels if by_rarity else 1
    groups = [_added(exposures[i : i + levels]) for i in range(0, len(exposures), levels)]
    none: Ranges = (None,) * len(groups)
    rarities = none if strata.rarity_ranges is None else _merged(strata.rarity_ranges, levels)
    qualities = none if by_rarity else strata.quality_ranges or none
    return SourceReport(
        name=source.name,
        kind=source.kind,
        generation=source.generation,
        licence=source.licence,
        **_counts(_added(exposures)),
        strata=tuple(
            StratumReport(
                stratum=number,
                **_counts(group),
                fewest=min(group),
                most=max(group),
                rarity=rarities[number],
                quality=qualities[number],
            )
            for number, group in enumerate(groups)
            if group
        ),
        decoding=told_decoding(source),
        boost=boosted(strata, [_shown(each) for each in exposures]),
        tokens=tokens,
    )


def _added(exposures: Sequence[Counter[int]]) -> Counter[int]:
    return reduce(lambda a, b: a + b, exposures, Counter[int]())


def _merged(ranges: Ranges, levels: int) -> Ranges:
    merged = []
    for start in range(0, len(ranges), levels):
        present = [bounds for bounds in ranges[start : start + levels] if bounds is not None]
        merged.append(
            (min(low for low, _ in present), max(high for _, high in present)) if present else None
        )
    return tuple(merged)
