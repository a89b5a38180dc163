"""Which rows hold the same, over all sources: each content gets a number."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.scan import Scan
from collapse_guard.rows.source import Kind

Ids = npt.NDArray[np.int64]


class Between(NamedTuple):
    """Pairs of rows, all between the same two sources.

    Attributes:
        source: Name of the source of the one row of each pair.
        other: Name of the source of the other row.
        places: int64 of shape (pairs,), where they stand among all pairs.
        rows: int64 of shape (pairs,), the number of the one in its source, rising.
        others: int64 of shape (pairs,), the number of the other in its source.
    """

    source: str
    other: str
    places: Ids
    rows: Ids
    others: Ids


@dataclass(frozen=True, eq=False)
class Distinct:
    """The contents of the rows of all sources, numbered as they first come; none for empty rows.

    Rows are numbered through all sources. What is true of a row is true of its duplicates, so that
    one of them is looked at.

    Attributes:
        scans: The sources.
        starts: int64 of shape (sources + 1,), the number of each one's first row, and of all rows.
        of_row: int64 of shape (rows,), the content of each row, and -1 of those that are empty.
        row: int64 of shape (contents,), the first row of each.
        first: The first row of each content among those of a kind, int64 of shape (contents,), and
            -1 where there is none.
    """

    scans: tuple[Scan, ...]
    starts: Ids
    of_row: Ids
    row: Ids
    first: dict[Kind, Ids]

    @classmethod
    def of(cls, scans: Sequence[Scan]) -> "Distinct":
        """Compare all rows by their keys."""
        starts = np.cumsum([0, *(len(scan.keys) for scan in scans)])
        rows = np.flatnonzero(~np.concatenate([scan.is_empty for scan in scans]))
        keys = np.concatenate([scan.keys for scan in scans])[rows]
        _, first, places = np.unique(keys, return_index=True, return_inverse=True)
        order = np.argsort(first)
        number = np.empty_like(order)
        number[order] = np.arange(len(order))
        of_row = np.full(int(starts[-1]), -1, dtype=np.int64)
        of_row[rows] = number[places]
        is_human = np.repeat([scan.kind == "human" for scan in scans], np.diff(starts))[rows]
        firsts: dict[Kind, Ids] = {}
        for kind, of_kind in (("human", rows[is_human]), ("synthetic", rows[~is_human])):
            found = np.full(len(order), -1, dtype=np.int64)
            # Later writes win in numpy, so that the first one comes last.
            found[of_row[of_kind[::-1]]] = of_kind[::-1]
            firsts[kind] = found  # type: ignore[index]
        return cls(tuple(scans), starts, of_row, rows[first[order]], firsts)

    def __len__(self) -> int:
        """How many contents there are."""
        return len(self.row)

    def located(self, rows: Ids) -> tuple[Ids, Ids]:
        """The source of each row, and its number there."""
        source = np.searchsorted(self.starts, rows, side="right") - 1
        return source, rows - self.starts[source]

    def rows_of(self, kind: Kind) -> Ids:
        """All rows of a kind that are not empty, rising."""
        parts = [
            np.arange(start, start + len(scan.keys))
            for start, scan in zip(self.starts.tolist(), self.scans, strict=False)
            if scan.kind == kind
        ]
        rows = np.concatenate([np.zeros(0, np.int64), *parts])
        filled: Ids = rows[self.of_row[rows] >= 0]
        return filled

    def between_sources(self, rows: Ids, others: Ids) -> Iterator[Between]:
        """Pairs of rows by their two sources, in the order of these.

        Args:
            rows: int64 of shape (pairs,), numbers through all sources.
            others: int64 of shape (pairs,), as `rows`.
        """
        (source, row), (other, another) = self.located(rows), self.located(others)
        pair = source * len(self.scans) + other
        order = np.lexsort((another, row, pair))
        cuts = np.flatnonzero(np.diff(pair[order])) + 1
        for places in np.split(order, cuts) if len(order) else []:
            names = [self.scans[of[places[0]]].column.name for of in (source, other)]
            yield Between(names[0], names[1], places, row[places], another[places])
