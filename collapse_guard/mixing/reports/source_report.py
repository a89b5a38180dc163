"""What was shown of a source, a stratum of it, or a generation of sources."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from collapse_guard.mixing.strata.boosted import Boosted
from collapse_guard.rows.source import Kind


@dataclass(frozen=True)
class StratumReport:
    """What was shown of the rows of one stratum.

    Attributes:
        stratum: Its number: 0 has the commonest contents (or, where rows are ranked by quality
            alone, the lowest quality). Strata of one number have the same bounds in all sources.
        rows: Rows in it.
        shown: Slots that showed one of them.
        unique: Different rows that were shown.
        repeated: Rows that were shown more than once.
        fewest: Times that its least shown row was shown.
        most: Times that its most shown row was shown.
        rarity: Lowest and highest rarity of its rows; None where rows were not ranked by rarity.
        quality: Lowest and highest quality; None where rows were not ranked by quality alone.
    """

    stratum: int
    rows: int
    shown: int
    unique: int
    repeated: int
    fewest: int
    most: int
    rarity: tuple[float, float] | None = None
    quality: tuple[float, float] | None = None

    @property
    def mean(self) -> float:
        """Mean number of times that a row was shown."""
        return self.shown / self.rows


@dataclass(frozen=True)
class SourceReport:
    """What was shown of one source.

    Attributes:
        name: Of the source.
        kind: "human" or "synthetic".
        generation: Models between human text and its rows.
        licence: Of its rows.
        rows: Rows in it.
        shown: Slots that showed one of them.
        unique: Different rows that were shown.
        repeated: Rows that were shown more than once.
        strata: Those that have rows; one where rows were not ranked.
        decoding: How a model drew its tokens, in plain JSON types, as `told_decoding` says.
        boost: How much more often its rarest rows were shown than its commonest; None where that
            was not asked for.
        tokens: Trained tokens of the rows that were shown, as often as they were; None where the
            floor counts rows.
    """

    name: str
    kind: Kind
    generation: int
    licence: str | None
    rows: int
    shown: int
    unique: int
    repeated: int
    strata: tuple[StratumReport, ...]
    decoding: Any = None
    boost: Boosted | None = None
    tokens: int | None = None

    def __str__(self) -> str:
        counts = _shown(self.rows, self.shown, self.unique, self.repeated)
        tokens = "" if self.tokens is None else f", {self.tokens} tokens"
        return f"{self.name}: {counts}{tokens}"


@dataclass(frozen=True)
class GenerationReport:
    """What was shown of all sources of one generation.

    Attributes:
        generation: 0 for human text.
        rows: Rows in them.
        shown: Slots that showed one of them.
        unique: Different rows that were shown.
        repeated: Rows that were shown more than once.
    """

    generation: int
    rows: int
    shown: int
    unique: int
    repeated: int

    def __str__(self) -> str:
        counts = _shown(self.rows, self.shown, self.unique, self.repeated)
        return f"generation {self.generation}: {counts}"


class Shown(Protocol):
    """What was shown of a source."""

    @property
    def kind(self) -> Kind:
        """Whether people wrote its rows: "human" or "synthetic"."""

    @property
    def shown(self) -> int:
        """Slots that showed one of its rows."""


def human_share(sources: Iterable[Shown], slots: int) -> float:
    """Share of so many slots that showed a human row; 0 where there is no slot."""
    return sum(source.shown for source in sources if source.kind == "human") / max(slots, 1)


def strata_lines(source: SourceReport) -> Iterator[str]:
    """A line of text for each stratum that rows were ranked into."""
    for stratum in source.strata:
        for measure, bounds in (("rarity", stratum.rarity), ("quality", stratum.quality)):
            if bounds is not None:
                yield (
                    f"  stratum {stratum.stratum} ({measure} {bounds[0]:.3g} to {bounds[1]:.3g}): "
                    f"{stratum.rows} rows, shown {stratum.mean:.2f} times each "
                    f"({stratum.fewest} to {stratum.most})"
                )
    if source.boost is not None:
        yield f"  {source.boost}"


def _shown(rows: int, shown: int, unique: int, repeated: int) -> str:
    return f"{shown} shown of {rows} rows, {unique} different, {repeated} more than once"
