"""The steps from a `MixStream`'s arguments to its slots, each with its checks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from collapse_guard.arguments import MOST, slots_of_a_block, whole_number
from collapse_guard.errors import bad_argument
from collapse_guard.mixing.floor import Era, Stages, floor_segments, human_stages
from collapse_guard.mixing.identity import identity_of
from collapse_guard.mixing.order.slots import Slots
from collapse_guard.mixing.quotas.quota import check_quotas, quotas_of
from collapse_guard.mixing.quotas.split import Dry, split_slots
from collapse_guard.mixing.sources import golden_stages, may_differ, sources_with_slots
from collapse_guard.mixing.streaming.cursors import Check
from collapse_guard.mixing.streaming.known_rows import known_rows
from collapse_guard.mixing.streaming.lanes import (
    MOST_LANES,
    Lanes,
    check_lanes,
    plan_lanes,
    rounded_up,
)
from collapse_guard.mixing.streaming.stream_boost import StreamBoost, boost_of_stream
from collapse_guard.rows.marks import with_decodings
from collapse_guard.rows.row_check import RowCheck
from collapse_guard.rows.row_source import RowSource, can_be_read_by_number, declared_columns
from collapse_guard.rows.same_for_all import check_same_for_all
from collapse_guard.rows.schema import check_same_columns
from collapse_guard.rows.source import Source

# Without a length, the shares of several sources come out exactly over so many slots.
_PERIOD = 2**20


@dataclass(frozen=True, eq=False)
class StreamPlan:
    """What a mixed stream is made of.

    Attributes:
        sources: Those that have slots, human ones first.
        rows: Of each of them: opened where they can be read by number, else a stream.
        keys: A number for each, as of `MixGuard`'s sources.
        max_repeats: How often each is gone through; None for no limit.
        slots: Who gets which slots if no source runs dry.
        block_size: G, in slots.
        identity: What a state must share with it, as `identity_of` says.
        checks: Of the rows of each source, as they are read, with their numbers.
        length: In slots, a whole number of blocks, and of a portion of each lane; None where it is
            not known.
        lanes: What of the slots and rows is whose; None where each reader reads all rows.
        boost: What shows rare human rows in more passes, if anything.
    """

    sources: tuple[Source, ...]
    rows: tuple[RowSource | Iterable[Any], ...]
    keys: tuple[int, ...]
    max_repeats: tuple[int | None, ...]
    slots: Slots
    block_size: int
    length: int | None
    identity: Mapping[str, Any]
    checks: tuple[Check, ...]
    lanes: Lanes | None = None
    boost: StreamBoost | None = None

    @property
    def sizes(self) -> list[int | None]:
        """Rows of each source that go round as one; None where that is not known, or not so."""
        known = self.lanes is None
        return [len(r) if known and isinstance(r, RowSource) else None for r in self.rows]


def plan_stream(
    human: Any,
    synthetic: Any,
    *,
    human_fraction: Any,
    block_size: Any,
    length: Any,
    max_repeats: Any,
    generation_decay: Any,
    lanes: Any = 1,
    batch_size: Any = None,
    boost: Any = None,
) -> StreamPlan:
    """The plan of a mixed stream.

    Args:
        human: As of `MixStream`, as are the others.
        synthetic: As of `MixStream`.
        human_fraction: As of `MixStream`.
        block_size: As of `MixStream`.
        length: As of `MixStream`.
        max_repeats: As of `MixStream`.
        generation_decay: As of `MixStream`.
        lanes: As of `MixStream`.
        batch_size: As of `MixStream`.
        boost: As of `MixStream`.

    Raises:
        ArgumentError: One of them is out of range, or they cannot work together.
    """
    block_size = slots_of_a_block(block_size)
    if length is not None:
        hint = "give the number of slots of the stream, or None for as many as there are rows"
        length = whole_number("length", length, least=1, hint=hint)
        length = -(-length // block_size) * block_size
    if max_repeats is not None:
        max_repeats = whole_number("max_repeats", max_repeats, least=1, hint="give 1, or None")
    if isinstance(human_fraction, str) and human_fraction == "golden":
        sources, keys = sources_with_slots(human, synthetic, None)
        stages = golden_stages(sources, [known_rows(source) for source in sources])
    else:
        stages = _stages(human_fraction, length)
        sources, keys = sources_with_slots(human, synthetic, stages)
    _refuse_what_streams_cannot(sources)
    lanes = whole_number("lanes", lanes, least=1, most=MOST_LANES, hint="give e.g. 8, or 1")
    if lanes > 1:
        batch_size = check_lanes(
            batch_size, length=length, max_repeats=max_repeats, sources=sources
        )
        length = rounded_up(length, block_size, lanes, batch_size)
    rows = tuple(_opened(source) for source in sources)
    _check_columns(sources, rows)
    check = RowCheck.of([s.name for s in sources], rows, but_for=may_differ(sources))
    sources = tuple(with_decodings(*each) for each in zip(sources, rows, strict=True))
    repeats = tuple(source.max_repeats or max_repeats for source in sources)
    plan = StreamPlan(
        sources=sources,
        rows=rows,
        keys=keys,
        max_repeats=repeats,
        slots=_slots(sources, stages, block_size, length, generation_decay),
        block_size=block_size,
        length=length,
        boost=boost_of_stream(boost, sources),
        checks=tuple(partial(check.rows, number) for number in range(len(sources))),
        identity=identity_of(
            sources,
            rows,
            stages,
            boost=boost,
            generation_decay=generation_decay,
            block_size=block_size,
            length=length,
            max_repeats=max_repeats,
            lanes=lanes,
            batch_size=batch_size if lanes > 1 else None,
        ),
    )
    _refuse_short_sources(plan)
    if lanes > 1:
        split = plan_lanes(
            sources, rows, plan.slots, lanes=lanes, size=batch_size, length=plan.length
        )
        plan = replace(plan, lanes=split)
    return plan


def _stages(human_fraction: Any, length: int | None) -> Stages:
    stages = human_stages(human_fraction)
    if length is None and len({share for _, share in stages}) > 1:
        raise bad_argument(
            "length",
            expected="a number of slots where human_fraction changes on the way",
            given=length,
            hint="say how long the stream is",
        )
    return stages


def _refuse_what_streams_cannot(sources: Sequence[Source]) -> None:
    takes_over = any(s.kind == "synthetic" and s.when_dry == "human" for s in sources)
    for source in sources:
        if source.kind == "human" and source.when_dry == "human":
            raise bad_argument(
                "when_dry",
                expected="'error' or 'stop' for a human source of a stream",
                given=source.when_dry,
                hint=f"nothing could stand in for {source.name!r} without a list of its rows",
            )
        if source.min_fraction and source.when_dry == "human":
            raise bad_argument(
                "when_dry",
                expected="'error' or 'stop' for a source of a stream that has a min_fraction",
                given=source.when_dry,
                hint=f"once dry, {source.name!r} would fall below its min_fraction",
            )
        if takes_over and source.kind == "human" and source.max_fraction < 1:
            raise bad_argument(
                "max_fraction",
                expected="1 for human sources of a stream in which a dry source hands over to them",
                given=source.max_fraction,
                hint=f"{source.name!r} would rise above it; use MixGuard, or when_dry='stop'",
            )
        is_told = isinstance(source.quality, str) or callable(source.quality)
        if source.quality is not None and (not is_told or can_be_read_by_number(source.rows)):
            raise bad_argument(
                "quality",
                expected="None, or for a stream the name of a column or a function of a row",
                given=source.quality,
                hint="weigh rows that are read by number with MixGuard",
            )


def _opened(source: Source) -> RowSource | Iterable[Any]:
    rows: Any = source.rows
    check_same_for_all(source.name, rows)
    if can_be_read_by_number(rows):
        return RowSource(source.name, rows)
    if not hasattr(rows, "__iter__") or isinstance(rows, Iterator):
        raise bad_argument(
            source.name,
            expected="rows that can be read by number, or iterated over again and again",
            given=rows,
            hint="give a list, a Hugging Face Dataset or IterableDataset, or an object whose "
            "__iter__ begins anew each time",
        )
    stream: Iterable[Any] = rows
    return stream


def _check_columns(sources: Sequence[Source], rows: Sequence[RowSource | Iterable[Any]]) -> None:
    """Refuse columns that differ, as far as the sources say what they have."""
    columns = [
        each.columns() if isinstance(each, RowSource) else declared_columns(each) for each in rows
    ]
    names = [source.name for source in sources]
    check_same_columns(
        [each for each in zip(names, columns, strict=True) if each[1] is not None],
        but_for=may_differ(sources),
    )


def _slots(
    sources: Sequence[Source],
    stages: Stages,
    block_size: int,
    length: int | None,
    decay: Any,
) -> Slots:
    # How many rows there are is only seen on the way.
    quotas = quotas_of(sources, [MOST] * len(sources), generation_decay=decay, max_repeats=MOST)
    check_quotas(quotas, stages, block_size)
    blocks = max(1, _PERIOD // block_size) if length is None else length // block_size
    segments = floor_segments(stages, blocks=blocks, block_size=block_size)
    split = split_slots(quotas, [Era(1, tuple(segments))], block_size)
    if isinstance(split, Dry):
        raise bad_argument(
            "max_fraction",
            expected="caps that leave somebody every slot",
            given=float(sources[split.source].max_fraction),
            hint=f"raise that of {sources[split.source].name!r}, or change human_fraction",
        )
    return Slots([leg for legs in split for leg in legs], block_size)


def _refuse_short_sources(plan: StreamPlan) -> None:
    """Refuse at once what the sources that have a length can never fill."""
    if plan.length is None:
        return
    draws = plan.slots.draws_before(plan.length).tolist()
    for source, rows, repeats, wanted in zip(
        plan.sources, plan.rows, plan.max_repeats, draws, strict=True
    ):
        if not isinstance(rows, RowSource) or repeats is None or source.when_dry != "error":
            continue
        if wanted > len(rows) * repeats:
            raise bad_argument(
                "length",
                expected=f"a stream that takes at most {len(rows) * repeats} rows of "
                f"{source.name!r}, each of its {len(rows)} rows max_repeats={repeats} times",
                given=f"{plan.length} slots, {wanted} of which are {source.name!r}",
                hint=f"give more rows, a smaller length, a larger max_repeats, or "
                f"when_dry='stop' for {source.name!r}",
            )
