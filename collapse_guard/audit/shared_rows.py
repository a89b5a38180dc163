"""Synthetic rows that stand in human sources too, word for word or nearly so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.exact_duplicates import find_identical
from collapse_guard.audit.near_duplicates import candidate_pairs, jaccard_similarities
from collapse_guard.audit.scan import Scan
from collapse_guard.rows.column import Column

Ids = npt.NDArray[np.int64]

_PAIRS_AT_A_TIME = 256


@dataclass(frozen=True, eq=False)
class SharedRows:
    """Rows of a synthetic source that hold the same as rows of a human source, or nearly so.

    A row is listed once, with the human row that is most like it: the first, where several are.

    Attributes:
        synthetic: Name of the synthetic source.
        human: Name of the human source.
        rows: int64 of shape (shared,), rows of the synthetic source, rising.
        originals: int64 of shape (shared,), the human row that each is like.
        similarity: float64 of shape (shared,), Jaccard similarity of their shingles, 0 to 1; 1 for
            identical ones. Rows that differ in case or punctuation only have 1 as well.
        identical: bool of shape (shared,), whether the two are the same to the last character.
    """

    synthetic: str
    human: str
    rows: Ids
    originals: Ids
    similarity: npt.NDArray[np.float64]
    identical: npt.NDArray[np.bool_]


def find_shared(
    human: Sequence[Scan], synthetic: Sequence[Scan], *, near: float | None
) -> list[SharedRows]:
    """Look the rows of synthetic sources up in human ones. Empty rows are like no other.

    Args:
        human: The human sources.
        synthetic: The synthetic sources.
        near: Least Jaccard similarity that counts; None for identical rows only.

    Returns:
        One for each synthetic and each human source that share a row.
    """
    theirs = [_different_rows(scan) for scan in human]
    found = []
    for scan in synthetic:
        ours = np.flatnonzero(~scan.is_empty)
        # Each content once: what is true of a row is true of its duplicates.
        keys, first, content = np.unique(scan.keys[ours], return_index=True, return_inverse=True)
        best = _Best.none(len(keys))
        for number, (other, rows) in enumerate(zip(human, theirs, strict=True)):
            place = find_identical(keys, other.keys[rows])
            new = np.flatnonzero((place >= 0) & ~best.identical)
            best.improve(new, number, rows[place[new]], np.ones(len(new)), identical=True)
        if near is not None:
            rest = np.flatnonzero(~best.identical)
            for number, (other, rows) in enumerate(zip(human, theirs, strict=True)):
                for at, originals, similarity in _near(scan, ours[first[rest]], other, rows):
                    close = similarity >= near
                    best.improve(rest[at[close]], number, originals[close], similarity[close])
        for number, other in enumerate(human):
            here = np.flatnonzero(best.source[content] == number)
            if len(here):
                found.append(_shared(scan, other, ours[here], best, content[here]))
    return found


@dataclass(frozen=True, eq=False)
class _Best:
    """The human row that is most like each content so far."""

    source: Ids
    row: Ids
    similarity: npt.NDArray[np.float64]
    identical: npt.NDArray[np.bool_]

    @classmethod
    def none(cls, count: int) -> "_Best":
        nowhere = np.full(count, -1, dtype=np.int64)
        return cls(nowhere, nowhere.copy(), np.zeros(count), np.zeros(count, dtype=bool))

    def improve(
        self, at: Ids, source: int, rows: Ids, similarity: npt.NDArray[np.float64],
        *, identical: bool = False,
    ) -> None:  # fmt: skip
        # The best last, and of equals the first row: later writes win in numpy.
        order = np.lexsort((-rows, similarity))
        at, rows, similarity = at[order], rows[order], similarity[order]
        better = similarity > self.similarity[at]
        at = at[better]
        self.source[at] = source
        self.row[at] = rows[better]
        self.similarity[at] = similarity[better]
        self.identical[at] = identical


def _different_rows(scan: Scan) -> Ids:
    """The first row of each content, rising."""
    rows = np.flatnonzero(~scan.is_empty)
    return rows[np.sort(np.unique(scan.keys[rows], return_index=True)[1])]


def _near(
    scan: Scan, rows: Ids, other: Scan, others: Ids
) -> Iterator[tuple[Ids, Ids, npt.NDArray[np.float64]]]:
    """Places in `rows`, the rows in `others` that may be like them, and how like they are."""
    places = np.flatnonzero(scan.has_shingles[rows])
    others = others[other.has_shingles[others]]
    left, right = candidate_pairs(scan.bands[rows[places]], other.bands[others])
    for start in range(0, len(left), _PAIRS_AT_A_TIME):
        part = slice(start, start + _PAIRS_AT_A_TIME)
        at, originals = places[left[part]], others[right[part]]
        yield at, originals, _similarities(scan.column, rows[at], other.column, originals)


def _similarities(
    column: Column, rows: Ids, other: Column, originals: Ids
) -> npt.NDArray[np.float64]:
    wanted, left = np.unique(rows, return_inverse=True)
    sources, right = np.unique(originals, return_inverse=True)
    pairs = list(zip(left.tolist(), right.tolist(), strict=True))
    return jaccard_similarities(column.read(wanted.tolist()), other.read(sources.tolist()), pairs)


def _shared(scan: Scan, other: Scan, rows: Ids, best: _Best, content: Ids) -> SharedRows:
    return SharedRows(
        scan.column.name,
        other.column.name,
        rows,
        best.row[content],
        best.similarity[content],
        best.identical[content],
    )
