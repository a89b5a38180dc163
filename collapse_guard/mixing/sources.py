"""What a mixed stream is made of: its sources, opened and compared, and its human floor."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from collapse_guard.errors import bad_argument
from collapse_guard.mixing.floor import Stages, human_stages
from collapse_guard.mixing.golden import golden_fraction
from collapse_guard.rows.map_rows import Rows, RowSource, check_same_columns
from collapse_guard.rows.source import Kind, Source

Given = Rows | Source | Sequence[Source] | None


@dataclass(frozen=True)
class GatheredSources:
    """Sources that have slots, human ones first, and the human floor.

    Attributes:
        sources: As described.
        rows: As opened.
        keys: A number for each: 0, 2, 4, ... for human ones and 1, 3, 5, ... for synthetic ones,
            so that another source at the end of either list leaves the orders of the rest alone.
        stages: Of the human floor.
    """

    sources: tuple[Source, ...]
    rows: tuple[RowSource, ...]
    keys: tuple[int, ...]
    stages: Stages


def gather_sources(human: Given, synthetic: Given, human_fraction: Any) -> GatheredSources:
    """Open what was given as human and synthetic rows.

    Args:
        human: As of `MixGuard`.
        synthetic: As of `MixGuard`.
        human_fraction: As of `MixGuard`.

    Raises:
        ArgumentError: A source that has slots is missing, empty, no source of rows, of the other
            kind, or has other columns; two share a name; or `human_fraction` is no floor.
    """
    ours, theirs = as_sources(human, "human"), as_sources(synthetic, "synthetic")
    golden = isinstance(human_fraction, str) and human_fraction == "golden"
    stages = () if golden else human_stages(human_fraction)
    floors = [floor for _, floor in stages]
    taking = any(source.when_dry == "human" for source in theirs)
    if not (golden or any(floors) or taking):
        ours = ()
    if floors and min(floors) == 1:
        theirs = ()
    sources = (*ours, *theirs)
    repeated = [name for name, times in Counter(s.name for s in sources).items() if times > 1]
    if repeated:
        raise bad_argument(
            "name",
            expected="a name of its own for each source",
            given=repeated[0],
            hint="rename one of the sources",
        )
    rows = tuple(RowSource(source.name, source.rows) for source in sources)
    for other in rows[1:]:
        check_same_columns(rows[0], other)
    if golden:
        stages = human_stages(
            golden_fraction(sum(map(len, rows[: len(ours)])), sum(map(len, rows[len(ours) :])))
        )
    keys = (*(2 * n for n in range(len(ours))), *(2 * n + 1 for n in range(len(theirs))))
    return GatheredSources(sources, rows, keys, stages)


def as_sources(given: Given, kind: Kind) -> tuple[Source, ...]:
    """What was given as rows of one kind, as sources; plain rows are one that is called so.

    Raises:
        ArgumentError: A source is of the other kind, or sources and rows stand in one list.
    """
    if isinstance(given, Source):
        sources: tuple[Any, ...] = (given,)
    elif isinstance(given, list | tuple) and any(isinstance(item, Source) for item in given):
        sources = tuple(given)
    else:
        return (Source(cast(Rows, given), kind, kind),)
    for source in sources:
        if not isinstance(source, Source) or source.kind != kind:
            raise bad_argument(
                kind,
                expected=f"rows, or sources of kind {kind!r}",
                given=getattr(source, "kind", source),
                hint="give the sources of each kind in their own argument",
            )
    return sources
