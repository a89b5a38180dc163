"""What a mixed stream has shown, computed from its plan."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from collapse_guard.mixing.plan import MixPlan
from collapse_guard.mixing.stream import RowStream


@dataclass(frozen=True)
class StratumReport:
    """What was shown of the rows of one stratum.

    Attributes:
        rows: Rows in it.
        shown: Slots that showed one of them.
        fewest: Times that its least shown row was shown.
        most: Times that its most shown row was shown.
        rarity: Lowest and highest rarity of its rows, in bits; None where rows were not ranked.
    """

    rows: int
    shown: int
    fewest: int
    most: int
    rarity: tuple[float, float] | None = None

    @property
    def mean(self) -> float:
        """Mean number of times that a row was shown."""
        return self.shown / self.rows


@dataclass(frozen=True)
class SourceReport:
    """What was shown of one source.

    Attributes:
        rows: Rows in it.
        shown: Slots that showed one of them.
        unique: Different rows that were shown.
        repeated: Rows that were shown more than once.
        strata: From the commonest contents to the rarest; one stratum where rows were not ranked.
    """

    rows: int
    shown: int
    unique: int
    repeated: int
    strata: tuple[StratumReport, ...]


@dataclass(frozen=True)
class MixReport:
    """What the first `slots` slots of a mixed stream show. Exact, on any number of processes.

    Attributes:
        slots: Slots covered.
        block_size: Slots of a block.
        human_per_block: Human slots of each block.
        human: What was shown of the human source; None where the stream has no human slots.
        synthetic: Likewise of the synthetic source.
    """

    slots: int
    block_size: int
    human_per_block: int
    human: SourceReport | None
    synthetic: SourceReport | None

    @property
    def human_share(self) -> float:
        """Share of the slots that showed a human row; 0 where no slot is covered."""
        shown = 0 if self.human is None else self.human.shown
        return shown / max(self.slots, 1)

    def as_dict(self) -> dict[str, Any]:
        """All figures as plain nested dicts, ready for JSON."""
        return {**asdict(self), "human_share": self.human_share}

    def __str__(self) -> str:
        lines = [
            f"{self.slots} slots, {self.human_share:.1%} human "
            f"({self.human_per_block} of every {self.block_size})"
        ]
        for name, source in (("human", self.human), ("synthetic", self.synthetic)):
            if source is None:
                continue
            lines.append(
                f"{name}: {source.shown} shown of {source.rows} rows, "
                f"{source.unique} different, {source.repeated} more than once"
            )
            for number, stratum in enumerate(source.strata):
                if stratum.rarity is None:
                    continue
                low, high = stratum.rarity
                lines.append(
                    f"  stratum {number} ({low:.1f} to {high:.1f} bits): {stratum.rows} rows, "
                    f"shown {stratum.mean:.2f} times each ({stratum.fewest} to {stratum.most})"
                )
        return "\n".join(lines)


def report_slots(plan: MixPlan, slots: int) -> MixReport:
    """Report the first `slots` slots of a plan.

    Takes no longer for a long run than for a short one: full rounds are counted, not walked.
    """
    human_shown = int(plan.quota.human_before(np.array([slots]))[0])
    return MixReport(
        slots=slots,
        block_size=plan.quota.block_size,
        human_per_block=plan.quota.human_per_block,
        human=_report_source(plan.human, human_shown),
        synthetic=_report_source(plan.synthetic, slots - human_shown),
    )


def _report_source(stream: RowStream | None, draws: int) -> SourceReport | None:
    if stream is None:
        return None
    exposures = stream.exposures(draws)
    ranges = stream.strata.rarity_ranges or [None] * len(exposures)
    rows_by_times = sum(exposures, Counter[int]())
    return SourceReport(
        rows=rows_by_times.total(),
        shown=draws,
        unique=sum(rows for times, rows in rows_by_times.items() if times >= 1),
        repeated=sum(rows for times, rows in rows_by_times.items() if times >= 2),
        strata=tuple(
            StratumReport(
                rows=counts.total(),
                shown=sum(times * rows for times, rows in counts.items()),
                fewest=min(counts),
                most=max(counts),
                rarity=rarity,
            )
            for counts, rarity in zip(exposures, ranges, strict=True)
        ),
    )
