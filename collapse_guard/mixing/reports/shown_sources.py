"""What was shown of each source, out of a report or a ledger, for those who write cards."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collapse_guard.arguments import understood
from collapse_guard.errors import bad_argument
from collapse_guard.mixing.reports.ledger import Report, check_ledger, is_ledger, read_ledger
from collapse_guard.statistics.json_forms import Part

Told = Report | Mapping[str, Any] | str | os.PathLike[str]

_WANTED = {
    "expected": "a report of a mix, a ledger, or the path of one",
    "hint": "give mixed.report(), read_ledger(folder), or the folder that holds mix_ledger.json",
}


@dataclass(frozen=True)
class ShownSource:
    """What was shown of one source.

    Attributes:
        name: Of the source.
        is_human: Whether people wrote its rows.
        generation: Models between human text and its rows.
        licence: Of its rows; None where nobody said.
        rows: Rows in it; None where the stream did not know, as for the two that follow.
        shown: Slots that showed one of them.
        unique: Different rows that were shown.
        repeated: Rows that were shown more than once.
        decoding: How a model drew its tokens, in plain JSON types, as `told_decoding` says.
    """

    name: str
    is_human: bool
    generation: int
    licence: str | None
    rows: int | None
    shown: int
    unique: int | None
    repeated: int | None
    decoding: Any

    @property
    def decoding_text(self) -> str:
        """How a model drew its tokens, in words; empty for text of people."""
        return "" if self.decoding is None else _said(self.decoding)


@dataclass(frozen=True)
class ShownMix:
    """What was shown of a mix.

    Attributes:
        sources: Human ones first.
        floor: Fewest human slots of a block, and the slots of a block; None where it is not told.
    """

    sources: tuple[ShownSource, ...]
    floor: tuple[int, int] | None

    @property
    def slots(self) -> int:
        """Slots that were shown."""
        return sum(source.shown for source in self.sources)

    @property
    def human_share(self) -> float:
        """Share of the slots that showed a human row; 0 where no slot was shown."""
        human = sum(source.shown for source in self.sources if source.is_human)
        return human / max(self.slots, 1)

    def share(self, source: ShownSource) -> float:
        """Share of the slots that showed a row of a source."""
        return source.shown / max(self.slots, 1)

    @property
    def summary(self) -> str:
        """What was shown, in a sentence or two."""
        humans = sum(source.is_human for source in self.sources)
        floor = ""
        if self.floor is not None:
            fewest, block = self.floor
            floor = f" Every block of {block} rows held at least {fewest} human ones."
        return (
            f"{self.slots:,} rows as they were shown in training, {self.human_share:.1%} of them "
            f"human, from {_number(humans, 'human')} and "
            f"{_number(len(self.sources) - humans, 'synthetic')}.{floor}"
        )


def shown_mix(told: Told) -> ShownMix:
    """What was shown, as a report or a ledger tells it.

    Args:
        told: What `report` of a `MixGuard` or a `MixStream` gives, a ledger, or the path of one or
            of its folder. A ledger tells of all passes together.

    Raises:
        ArgumentError: It is none of these, or does not add up.
        OSError: There is no such file.
    """
    if isinstance(told, str | os.PathLike):
        return shown_mix(read_ledger(Path(told)))
    with understood("told", told, **_WANTED):
        mapping = told if isinstance(told, Mapping) else told.to_dict()
        of_all_passes = isinstance(mapping, Mapping) and is_ledger(mapping)
        is_one = of_all_passes or (isinstance(mapping, Mapping) and "sources" in mapping)
    if not is_one:
        raise bad_argument("told", given=told, **_WANTED)
    part = Part("told", mapping, hint=_WANTED["hint"])
    if not of_all_passes:
        return _mix(part, {})
    check_ledger(part)
    entries = part.entries()
    return _mix(entries["pass"], entries["total"].entries()["sources"].entries())


def _mix(report: Part, totals: Mapping[str, Part]) -> ShownMix:
    parts = report.entries()
    floor = None
    if {"human_per_block", "block_size"} <= set(parts):
        floor = parts["human_per_block"].whole(), parts["block_size"].whole(least=1)
    report.check("sources" in parts, "a report with its sources")
    return ShownMix(tuple(_source(each, totals) for each in parts["sources"].items()), floor)


def _source(source: Part, totals: Mapping[str, Part]) -> ShownSource:
    parts = source.entries()
    needed = {"name", "kind", "generation", "licence", "shown", "decoding"}
    source.check(needed <= set(parts), f"a source with {', '.join(sorted(needed))}")
    name = parts["name"].text()
    # A ledger counts over all passes, where the report beside it is of the last.
    counts = totals[name].entries() if name in totals else parts
    licence = parts["licence"]
    return ShownSource(
        name=name,
        is_human=parts["kind"].text(among=("human", "synthetic")) == "human",
        generation=parts["generation"].whole(),
        licence=None if licence.value is None else licence.text(),
        rows=_count(parts, "rows"),
        shown=counts["shown"].whole(),
        unique=_count(counts, "unique"),
        repeated=_count(counts, "repeated"),
        decoding=parts["decoding"].plain(),
    )


def _count(parts: Mapping[str, Part], name: str) -> int | None:
    if name not in parts or parts[name].value is None:
        return None
    return parts[name].whole()


def _said(decoding: Any) -> str:
    if isinstance(decoding, list):
        return "; ".join(map(_said, decoding))
    if not isinstance(decoding, dict):
        return str(decoding)
    settings = [(name, decoding.get(name)) for name in ("temperature", "top_k", "top_p", "min_p")]
    told = [f"{name} {value}" for name, value in settings if value is not None]
    found = " (found by trying)" if decoding.get("found_by") else ""
    return (", ".join(told) or "as the model says") + found


def _number(count: int, kind: str) -> str:
    return f"{count} {kind} source" + ("" if count == 1 else "s")
