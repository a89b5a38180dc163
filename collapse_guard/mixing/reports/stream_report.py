"""What a mixed stream of unknown length has shown, as plain data."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from collapse_guard.mixing.reports.source_report import human_share
from collapse_guard.rows.source import Kind, Source, told_decoding


@dataclass(frozen=True)
class StreamSourceReport:
    """What was shown of one source.

    Attributes:
        name: Of the source.
        kind: "human" or "synthetic".
        generation: Models between human text and its rows.
        licence: Of its rows.
        shown: Slots that showed one of them.
        decoding: How a model drew its tokens, in plain JSON types, as `told_decoding` says.
        rows: How many rows it has; None of a stream, which does not say.
        passes: How many times it was begun to be gone through; None likewise.
        unique: Different rows that were shown; None likewise.
        repeated: Rows that were shown more than once; None likewise.
    """

    name: str
    kind: Kind
    generation: int
    licence: str | None
    shown: int
    decoding: Any = None
    rows: int | None = None
    passes: int | None = None
    unique: int | None = None
    repeated: int | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.shown} shown"


@dataclass(frozen=True)
class StreamReport:
    """What the first `slots` slots of a `MixStream` show. Exact, on any number of processes.

    Attributes:
        slots: Slots covered.
        block_size: Slots of a block.
        sources: What was shown of each source, human sources first.
        is_exact: False where a source may have run dry and handed its slots over to human ones,
            which only the processes that read know: human rows are then at least so many.
    """

    slots: int
    block_size: int
    sources: tuple[StreamSourceReport, ...]
    is_exact: bool

    @property
    def human_share(self) -> float:
        """Share of the slots that showed a human row; 0 where no slot is covered."""
        return human_share(self.sources, self.slots)

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain nested dicts, ready for JSON."""
        return {**asdict(self), "human_share": self.human_share}

    def __str__(self) -> str:
        lines = [f"{self.slots} slots, {self.human_share:.1%} human", *map(str, self.sources)]
        return "\n".join(lines)


def report_stream(
    sources: Sequence[Source],
    shown: Sequence[int],
    sizes: Sequence[int | None],
    *,
    slots: int,
    block_size: int,
    in_lanes: bool = False,
) -> StreamReport:
    """Report what was shown of each source of a stream.

    Args:
        sources: As described by the user.
        shown: Slots that showed a row of each.
        sizes: Rows that each has; None where that is not known.
        slots: Slots covered.
        block_size: Slots of a block.
        in_lanes: Whether each lane runs dry by itself.
    """
    return StreamReport(
        slots=slots,
        block_size=block_size,
        sources=tuple(
            StreamSourceReport(
                source.name,
                source.kind,
                source.generation,
                source.licence,
                count,
                told_decoding(source),
                **_passes(count, size),
            )
            for source, count, size in zip(sources, shown, sizes, strict=True)
        ),
        is_exact=all(
            source.when_dry != "human" or (hasattr(source.rows, "__len__") and not in_lanes)
            for source in sources
        ),
    )


def _passes(shown: int, size: int | None) -> dict[str, int | None]:
    """What is known of rows all of which are shown once in each pass."""
    if size is None:
        return {}
    return {
        "rows": size,
        "passes": -(-shown // size),
        "unique": min(shown, size),
        "repeated": min(max(shown - size, 0), size),
    }
