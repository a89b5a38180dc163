"""What a mixed stream is made of: its sources, opened and compared, and its human floor."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

from collapse_guard.errors import bad_argument
from collapse_guard.finder.search import DecodingSearch
from collapse_guard.human_text.left_out import MASK_COLUMN
from collapse_guard.mixing.floor import Stages, golden_fraction, human_stages
from collapse_guard.model.decoding import Decoding
from collapse_guard.rows.marks import MAY_DIFFER, Marks, with_decodings
from collapse_guard.rows.row_check import RowCheck
from collapse_guard.rows.row_source import Rows, RowSource, declared_columns
from collapse_guard.rows.schema import check_same_columns
from collapse_guard.rows.source import Kind, Source

Given = Rows | Iterable[Any] | Source | Sequence[Source] | None


@dataclass(frozen=True)
class MixSources:
    """Sources that have slots, human ones first, and the human floor.

    Attributes:
        sources: As described.
        rows: As opened.
        keys: A number for each: 0, 2, 4, ... for human ones and 1, 3, 5, ... for synthetic ones,
            so that another source at the end of either list leaves the orders of the rest alone.
        stages: Of the human floor.
        check: Of the rows, as they are read.
    """

    sources: tuple[Source, ...]
    rows: tuple[RowSource, ...]
    keys: tuple[int, ...]
    stages: Stages
    check: RowCheck


def open_sources(human: Given, synthetic: Given, human_fraction: Any) -> MixSources:
    """Open what was given as human and synthetic rows, all of which can be read by number.

    Args:
        human: As of `MixGuard`.
        synthetic: As of `MixGuard`.
        human_fraction: As of `MixGuard`.

    Raises:
        ArgumentError: A source that has slots is missing, empty, no source of rows, of the other
            kind, or has other columns; two share a name; or `human_fraction` is no floor.
    """
    golden = isinstance(human_fraction, str) and human_fraction == "golden"
    stages = None if golden else human_stages(human_fraction)
    sources, keys = sources_with_slots(human, synthetic, stages)
    rows = tuple(RowSource(source.name, source.rows) for source in sources)
    names, but_for = [source.name for source in rows], may_differ(sources)
    check_same_columns([(source.name, source.columns()) for source in rows], but_for=but_for)
    check = RowCheck.of(names, rows, but_for=but_for)
    sources = tuple(with_decodings(*each) for each in zip(sources, rows, strict=True))
    if stages is None:
        stages = golden_stages(sources, [len(each) for each in rows])
    return MixSources(sources, rows, keys, stages, check)


def golden_stages(sources: Sequence[Source], counts: Sequence[int]) -> Stages:
    """The human floor that `golden_fraction` gives for as many rows as there are.

    Args:
        sources: Of both kinds.
        counts: Rows of each.
    """
    sizes = dict.fromkeys(get_args(Kind), 0)
    for source, count in zip(sources, counts, strict=True):
        sizes[source.kind] += count
    return human_stages(golden_fraction(sizes["human"], sizes["synthetic"]))


def sources_with_slots(
    human: Given, synthetic: Given, stages: Stages | None
) -> tuple[tuple[Source, ...], tuple[int, ...]]:
    """What was given, without the kind that no slot may show.

    Args:
        human: As of `MixGuard`, or of `MixStream`.
        synthetic: Likewise.
        stages: Of the human floor; None for a floor that leaves slots to both kinds.

    Returns:
        The sources, human ones first, and the key of each, as of `MixSources`.

    Raises:
        ArgumentError: A source is of the other kind, or two share a name.
    """
    ours, theirs = as_sources(human, "human"), as_sources(synthetic, "synthetic")
    if stages is not None:
        floors = [floor for _, floor in stages]
        if not (any(floors) or any(source.when_dry == "human" for source in theirs)):
            ours = ()
        if min(floors) == 1:
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
    return sources, (*(2 * n for n in range(len(ours))), *(2 * n + 1 for n in range(len(theirs))))


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


def may_differ(sources: Sequence[Source]) -> Sequence[str]:
    """Columns that batches of a mix do not have, or have all alike, since its labels are marked."""
    return MAY_DIFFER if are_marked(sources) else ()


def are_marked(sources: Sequence[Source]) -> bool:
    """Whether the labels of a mix are marked: some source says how its tokens were drawn."""
    return any(source.decoding is not None for source in sources)


def marks_of(sources: Sequence[Source], rows: Sequence[RowSource | Iterable[Any]]) -> Marks | None:
    """What marks the labels of a mix; None where nothing is known, and rows stay as they are.

    Args:
        sources: As described.
        rows: As opened.
    """
    if not are_marked(sources):
        return None
    columns = [
        each.columns() if isinstance(each, RowSource) else declared_columns(each) for each in rows
    ]
    return Marks(sources, fills_mask=any(MASK_COLUMN in (own or ()) for own in columns))


def decodings_of(sources: Sequence[Source]) -> tuple[Decoding, ...]:
    """What the marks in the labels of a mix mean: the i-th of these for a mark of i, from 1.

    Raises:
        ArgumentError: One is still to be found.
    """
    return Marks(sources).decodings


def with_found(
    sources: Sequence[Source], name: str, found: Decoding | DecodingSearch
) -> tuple[Source, ...]:
    """The sources, with what was found for one of them.

    Raises:
        ArgumentError: No such source waits for its decoding, or it is none that was found.
    """
    waiting = [
        source.name
        for source in sources
        if isinstance(source.decoding, str) and source.decoding == "find"
    ]
    if not isinstance(name, str) or name not in waiting:
        raise bad_argument(
            "name",
            expected=f"a source whose decoding is to be found, of {waiting}",
            given=name,
            hint='say decoding="find" where the source is made',
        )
    if not isinstance(found, Decoding | DecodingSearch):
        raise bad_argument(
            "found",
            expected="a Decoding, or a DecodingSearch",
            given=found,
            hint="give what find_decoding returns",
        )
    decoding, told = (
        (found, None) if isinstance(found, Decoding) else (found.decoding, found.to_dict())
    )
    return tuple(
        replace(source, decoding=decoding, found_by=told) if source.name == name else source
        for source in sources
    )
