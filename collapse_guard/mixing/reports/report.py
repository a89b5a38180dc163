"""What a mixed stream has shown, as plain data."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from collapse_guard.extras import require
from collapse_guard.mixing.reports.source_report import (
    GenerationReport,
    SourceReport,
    human_share,
    strata_lines,
)

_EPOCHS_IN_TEXT = 10


@dataclass(frozen=True)
class EpochReport:
    """What was shown in one epoch: a row is new, or repeated, within it.

    Attributes:
        epoch: Its number, from 0.
        slots: Slots covered.
        sources: What was shown of each source.
    """

    epoch: int
    slots: int
    sources: tuple[SourceReport, ...]

    def __str__(self) -> str:
        shown = "; ".join(
            f"{source.name} {source.shown} shown, {source.unique} different, "
            f"{source.repeated} more than once"
            for source in self.sources
        )
        return f"epoch {self.epoch}: {self.slots} slots; {shown}"


@dataclass(frozen=True)
class TokenFloor:
    """What a floor of trained tokens promises of any stretch of rows.

    Attributes:
        share: Least share of their trained tokens that is human ...
        longest_row: ... less at most so many tokens.
    """

    share: float
    longest_row: int

    def __str__(self) -> str:
        return f"at least {self.share:.1%} of any stretch, less {self.longest_row} tokens"


@dataclass(frozen=True)
class MixReport:
    """What the first `slots` slots of a mixed stream show. Exact, on any number of processes.

    Attributes:
        slots: Slots covered.
        block_size: Slots of a block.
        human_per_block: Fewest human slots that the floor gives to any block of the stream; 0
            where it counts tokens.
        sources: What was shown of each source over all these slots, human sources first.
        epochs: The same for each epoch that was begun.
        token_floor: What is promised of trained tokens; None where the floor counts rows.
    """

    slots: int
    block_size: int
    human_per_block: int
    sources: tuple[SourceReport, ...]
    epochs: tuple[EpochReport, ...]
    token_floor: TokenFloor | None = None

    @property
    def human_share(self) -> float:
        """Share of the slots that showed a human row; 0 where no slot is covered."""
        return human_share(self.sources, self.slots)

    @property
    def human_token_share(self) -> float | None:
        """Share of the trained tokens that are human; None where the floor counts rows."""
        if self.token_floor is None:
            return None
        tokens = [(source.kind, source.tokens or 0) for source in self.sources]
        human = sum(count for kind, count in tokens if kind == "human")
        return human / max(sum(count for _, count in tokens), 1)

    @property
    def generations(self) -> tuple[GenerationReport, ...]:
        """What was shown of each generation, over all these slots."""
        return tuple(
            GenerationReport(
                generation,
                *(
                    sum(getattr(s, field) for s in self.sources if s.generation == generation)
                    for field in ("rows", "shown", "unique", "repeated")
                ),
            )
            for generation in sorted({source.generation for source in self.sources})
        )

    def source(self, name: str) -> SourceReport:
        """What was shown of one source.

        Raises:
            KeyError: No source that has slots is called so.
        """
        for source in self.sources:
            if isinstance(name, str) and source.name == name:
                return source
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain nested dicts, ready for JSON."""
        generations = [asdict(generation) for generation in self.generations]
        return {
            **asdict(self),
            "human_share": self.human_share,
            "human_token_share": self.human_token_share,
            "generations": generations,
        }

    def as_records(self) -> list[dict[str, Any]]:
        """A flat dict for each stratum of each source, for each epoch and (epoch None) in all."""
        parts = [(None, self.sources), *((part.epoch, part.sources) for part in self.epochs)]
        return [record for epoch, sources in parts for record in _records(epoch, sources)]

    def as_frame(self) -> Any:
        """`as_records` as a `pandas.DataFrame`; needs pandas.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        frame = require("pandas", "huggingface").DataFrame(self.as_records())
        # Whole numbers stay whole beside the missing epoch of the totals.
        return frame.convert_dtypes()

    def __str__(self) -> str:
        promise = f"(at least {self.human_per_block} of every {self.block_size})"
        if self.token_floor is not None:
            promise = f"and {self.human_token_share:.1%} of their tokens ({self.token_floor})"
        lines = [f"{self.slots} slots, {self.human_share:.1%} human {promise}"]
        for source in self.sources:
            lines += [str(source), *strata_lines(source)]
        # One source each, and its own line says it all.
        if len(self.generations) not in (1, len(self.sources)):
            lines += map(str, self.generations)
        if len(self.epochs) > 1:
            left_out = len(self.epochs) - _EPOCHS_IN_TEXT
            lines += [f"... {left_out} epochs ..."] if left_out > 0 else []
            lines += map(str, self.epochs[-_EPOCHS_IN_TEXT:])
        return "\n".join(lines)


def _records(epoch: int | None, sources: Sequence[SourceReport]) -> Iterator[dict[str, Any]]:
    for source in sources:
        for stratum in source.strata:
            figures = asdict(stratum)
            rarity, quality = figures.pop("rarity"), figures.pop("quality")
            yield {
                "epoch": epoch,
                "source": source.name,
                "kind": source.kind,
                "generation": source.generation,
                "licence": source.licence,
                **figures,
                "lowest_rarity": rarity and rarity[0],
                "highest_rarity": rarity and rarity[1],
                "lowest_quality": quality and quality[0],
                "highest_quality": quality and quality[1],
            }
