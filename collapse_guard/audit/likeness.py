"""Which contents are nearly the same as others, or lie inside longer ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.anchors import Anchors, AnchorTable, enough, num_anchors
from collapse_guard.audit.distinct import Distinct
from collapse_guard.audit.row_shingles import SHINGLE, RowShingles
from collapse_guard.rows.source import Kind

Ids = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]

FEWEST_TOKENS_INSIDE = 13
"""Tokens of a row that is looked for inside longer ones: shorter texts stand in others by chance.
Runs of 13 are what Brown et al. (GPT-3, 2020, appendix C) judge shared text by."""

_MOST_COMPARED = 4
_SHINGLES_AT_A_TIME = 1 << 17
_OWNERS_AT_A_TIME = 1 << 16
_KINDS: tuple[Kind, ...] = ("human", "synthetic")


@dataclass(frozen=True, eq=False)
class Closest:
    """The content that is most like each one so far, of those that it is compared with.

    Attributes:
        content: int64 of shape (contents,), -1 where none is.
        similarity: float64 of shape (contents,), Jaccard similarity.
    """

    content: Ids
    similarity: Shares

    @classmethod
    def none(cls, count: int) -> "Closest":
        """Nothing is like anything."""
        return cls(np.full(count, -1, dtype=np.int64), np.zeros(count))

    def improve(self, contents: Ids, others: Ids, similarity: Shares) -> None:
        """Take those that are more like, and of equals the first."""
        # The best last: later writes win in numpy.
        order = np.lexsort((-others, similarity))
        contents, others, similarity = contents[order], others[order], similarity[order]
        before = self.similarity[contents]
        better = (similarity > before) | (similarity == before) & (others < self.content[contents])
        self.content[contents[better]] = others[better]
        self.similarity[contents[better]] = similarity[better]


class Inside(NamedTuple):
    """Contents that lie inside longer ones.

    Attributes:
        shorter: int64 of shape (pairs,), the content that lies inside.
        longer: int64 of shape (pairs,), the one that holds it.
        share: float64 of shape (pairs,), the share of the shorter one's shingles that stand there.
    """

    shorter: Ids
    longer: Ids
    share: Shares


@dataclass(frozen=True, eq=False)
class Likeness:
    """What is like what.

    Attributes:
        human: For each synthetic content, the human one that is most like it.
        earlier: For each content of a kind, the one most like it of those that come before it
            among the rows of the kind.
        inside: What lies inside longer contents.
    """

    human: Closest
    earlier: dict[Kind, Closest]
    inside: Inside


class _Pairs(NamedTuple):
    """Rows of a batch, the contents they may be like, and how much they share."""

    rows: Ids
    others: Ids
    shared: Ids


def find_like(distinct: Distinct, near: float) -> Likeness:
    """Compare all contents, in a second pass over the rows that takes time as their tokens do.

    Args:
        distinct: The contents. Their scans have anchors.
        near: Least Jaccard similarity that counts as nearly the same, and least share of a
            content's shingles that have to stand in a longer one.
    """
    sizes = _sizes(distinct)
    tables = _tables(distinct, sizes)
    count = len(distinct)
    found = Likeness(
        Closest.none(count), {kind: Closest.none(count) for kind in _KINDS}, Inside(*_NOTHING)
    )
    inside = [found.inside]
    for contents, shingles in _batches(distinct):
        for kind, table in tables:
            for pairs in _compared(distinct, contents, shingles, table, sizes, near):
                ours = contents[pairs.rows]
                own, theirs = (sizes[each].astype(np.int64) for each in (ours, pairs.others))
                similarity = pairs.shared / (own + theirs - pairs.shared)
                close = similarity >= near
                _note(found, distinct, kind, ours[close], pairs.others[close], similarity[close])
                share = pairs.shared / theirs
                held = ~close & (share >= near) & _may_lie_inside(theirs, own)
                inside.append(Inside(pairs.others[held], ours[held], share[held]))
    joined = Inside(*(np.concatenate(part) for part in zip(*inside, strict=True)))
    return Likeness(found.human, found.earlier, joined)


_NOTHING = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)


def _sizes(distinct: Distinct) -> npt.NDArray[np.uint32]:
    """How many shingles each content has."""
    sizes = np.concatenate([scan.sizes for scan in distinct.scans])
    return sizes[distinct.row]


def _tables(distinct: Distinct, sizes: npt.NDArray[np.uint32]) -> list[tuple[Kind, AnchorTable]]:
    tables = []
    for kind in _KINDS:
        owners = np.flatnonzero(distinct.first[kind] >= 0)
        if len(owners):
            parts = _with_anchors(distinct, owners, sizes)
            tables.append((kind, AnchorTable(parts, num_anchors(sizes[owners]))))
    return tables


def _with_anchors(
    distinct: Distinct, owners: Ids, sizes: npt.NDArray[np.uint32]
) -> Iterator[tuple[Ids, Anchors, npt.NDArray[np.uint32]]]:
    for start in range(0, len(owners), _OWNERS_AT_A_TIME):
        part = owners[start : start + _OWNERS_AT_A_TIME]
        source, rows = distinct.located(distinct.row[part])
        for number in np.unique(source).tolist():
            own = part[source == number]
            yield own, distinct.scans[number].anchors[rows[source == number]], sizes[own]


def _batches(distinct: Distinct) -> Iterator[tuple[Ids, RowShingles]]:
    """All contents again, some at a time: -1 where a row is empty or holds what an earlier did."""
    if not len(distinct):
        return
    for scan, start in zip(distinct.scans, distinct.starts.tolist(), strict=False):
        for batch in scan.column.batches():
            shingles = RowShingles.of(batch)
            rows = np.arange(start, start + len(shingles.sizes))
            contents = distinct.of_row[rows]
            contents[distinct.row[contents] != rows] = -1
            yield contents, shingles
            start += len(rows)


def _compared(
    distinct: Distinct,
    contents: Ids,
    shingles: RowShingles,
    table: AnchorTable,
    sizes: npt.NDArray[np.uint32],
    near: float,
) -> Iterator[_Pairs]:
    """The rows of a batch with up to four contents each, those with the most common anchors."""
    held = table.look_up(shingles)
    ours, own = contents[held.rows], shingles.sizes[held.rows]
    theirs = sizes[held.owners].astype(np.int64)
    alike = np.minimum(own, theirs) >= near * np.maximum(own, theirs)
    wanted = (ours >= 0) & (ours != held.owners) & enough(held, theirs, near)
    wanted &= alike | _may_lie_inside(theirs, own)
    rows, others = held.rows[wanted], held.owners[wanted]
    order = np.lexsort((others, -held.anchors[wanted], rows))
    rows, others = rows[order], others[order]
    nth = np.arange(len(rows)) - np.searchsorted(rows, rows)
    rows, others = rows[nth < _MOST_COMPARED], others[nth < _MOST_COMPARED]
    for read in _read(distinct, np.unique(others), sizes):
        here = np.isin(others, read.contents)
        places = np.searchsorted(read.contents, others[here])
        shared = shingles.shared_with(read.shingles, rows[here], places)
        yield _Pairs(rows[here], others[here], shared)


class _Read(NamedTuple):
    contents: Ids
    shingles: RowShingles


def _read(distinct: Distinct, contents: Ids, sizes: npt.NDArray[np.uint32]) -> Iterator[_Read]:
    """Some contents, rising, as they are read again: not too many shingles at a time."""
    source, rows = distinct.located(distinct.row[contents])
    group = np.cumsum(sizes[contents], dtype=np.int64) // _SHINGLES_AT_A_TIME
    cuts = np.flatnonzero((np.diff(source) != 0) | (np.diff(group) != 0)) + 1
    parts = np.split(np.arange(len(contents)), cuts) if len(contents) else []
    for part in parts:
        column = distinct.scans[source[part[0]]].column
        yield _Read(contents[part], RowShingles.of(column.read(rows[part].tolist())))


def _may_lie_inside(shorter: Ids, longer: Ids) -> npt.NDArray[np.bool_]:
    enough_tokens = shorter > FEWEST_TOKENS_INSIDE - SHINGLE
    fits: npt.NDArray[np.bool_] = enough_tokens & (shorter < longer)
    return fits


def _note(
    found: Likeness, distinct: Distinct, kind: Kind, ours: Ids, others: Ids, similarity: Shares
) -> None:
    """Note pairs that are nearly the same, the others being of a kind."""
    first = distinct.first
    for own in _KINDS:
        here = first[own][ours] >= 0
        one, other, alike = ours[here], others[here], similarity[here]
        if own == kind:
            earlier = first[kind][other] < first[kind][one]
            found.earlier[kind].improve(
                np.where(earlier, one, other), np.where(earlier, other, one), alike
            )
        elif kind == "human":
            found.human.improve(one, other, alike)
        else:
            found.human.improve(other, one, alike)
