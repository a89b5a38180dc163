"""What a world has to show: chains, theory's curves beside them, and findings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from collapse_guard.examples.laboratory.chain import Chain
from collapse_guard.examples.laboratory.published import Finding, Relation
from collapse_guard.statistics.estimates import Estimate


@dataclass(frozen=True)
class Effort:
    """How much is spent.

    Attributes:
        seed: Of all random numbers.
        quick: A twentieth of the replicates, at least 12, to see that all works.
    """

    seed: int = 0
    quick: bool = False

    def replicates(self, full: int) -> int:
        """As many replicates as this effort has for what in full has `full`."""
        return max(12, full // 20) if self.quick else full


@dataclass(frozen=True)
class Chart:
    """A figure: a panel for each reading, simulation as points with intervals, theory dashed.

    Attributes:
        chains: By the name that the legend shows.
        names: Readings to draw.
        theory: By the reading's name, then by the chain's: a value for each generation from the
            first.
        on_log_scale: Readings that are drawn so.
    """

    chains: Mapping[str, Chain]
    names: Sequence[str]
    theory: Mapping[str, Mapping[str, Sequence[float]]]
    on_log_scale: Sequence[str] = ()


@dataclass(frozen=True)
class Experiment:
    """What came out of a world.

    Attributes:
        findings: Rows of the table.
        chart: Its figure.
        notes: Sentences for whoever reads the table.
    """

    findings: Sequence[Finding]
    chart: Chart
    notes: Sequence[str] = field(default=())


Run = Callable[[Effort], Experiment]
"""What each world's file offers as `experiment`."""


def finding(
    world: str,
    claim: str,
    source: str,
    expected: float,
    measured: Estimate,
    *,
    relation: Relation = "equals",
    unit: float = 1.0,
    expected_error: float = 0.0,
) -> Finding:
    """A finding from an estimate over replicates, in a unit of its own."""
    return Finding(
        world,
        claim,
        source,
        expected,
        measured.value / unit,
        measured.standard_error / unit,
        len(measured.influences),
        relation,
        expected_error,
    )
