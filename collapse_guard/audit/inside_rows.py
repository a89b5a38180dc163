"""Rows that lie inside longer ones, such as a paragraph that another row quotes."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.distinct import Distinct
from collapse_guard.audit.likeness import Inside
from collapse_guard.rows.source import Kind

Ids = npt.NDArray[np.int64]
_KINDS: tuple[Kind, ...] = ("human", "synthetic")


@dataclass(frozen=True, eq=False)
class InsideRows:
    """Rows of a source that lie inside longer rows of another source, or of the same one.

    Where one source is human and the other synthetic, each synthetic row is listed once; where
    both are of a kind, each shorter row is. Rows that are nearly the same are not among them.

    Attributes:
        source: Name of the source of the shorter rows.
        other: Name of the source of the longer rows.
        kinds: The kinds of the two sources.
        rows: int64 of shape (pairs,), the shorter row of each pair, rising.
        longer: int64 of shape (pairs,), the longer row that holds it.
        share: float64 of shape (pairs,), the share of the shorter row's shingles that stand in the
            longer one, 0 to 1.
    """

    source: str
    other: str
    kinds: tuple[Kind, Kind]
    rows: Ids
    longer: Ids
    share: npt.NDArray[np.float64]


def find_inside(distinct: Distinct, inside: Inside) -> list[InsideRows]:
    """List the rows that lie inside longer ones.

    Args:
        distinct: What all rows hold.
        inside: The contents that do.

    Returns:
        One for each source and each source whose rows hold some of its rows.
    """
    return [
        found for kinds in product(_KINDS, _KINDS) for found in _of_kinds(distinct, inside, kinds)
    ]


def _of_kinds(distinct: Distinct, inside: Inside, kinds: tuple[Kind, Kind]) -> Iterator[InsideRows]:
    shorter, longer = (distinct.first[kind] for kind in kinds)
    both = (shorter[inside.shorter] >= 0) & (longer[inside.longer] >= 0)
    pairs = Inside(inside.shorter[both], inside.longer[both], inside.share[both])
    by_longer = kinds == ("human", "synthetic")
    listed, others = (pairs.longer, pairs.shorter) if by_longer else (pairs.shorter, pairs.longer)
    # The greatest share first, of equals the first row.
    order = np.lexsort((others, -pairs.share, listed))
    listed, first = np.unique(listed[order], return_index=True)
    best = order[first]
    rows = distinct.rows_of(kinds[1] if by_longer else kinds[0])
    place = np.searchsorted(listed, distinct.of_row[rows])
    place[place == len(listed)] = 0
    of_row = listed[place] == distinct.of_row[rows] if len(listed) else np.zeros(len(rows), bool)
    rows, best = rows[of_row], best[place[of_row]]
    partner = (shorter if by_longer else longer)[others[best]]
    one, other = (partner, rows) if by_longer else (rows, partner)
    for pair in distinct.between_sources(one, other):
        share = pairs.share[best[pair.places]]
        yield InsideRows(pair.source, pair.other, kinds, pair.rows, pair.others, share)
