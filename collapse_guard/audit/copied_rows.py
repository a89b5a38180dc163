"""Rows that hold what another row holds, or nearly so, with the row that each is like."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.distinct import Distinct
from collapse_guard.audit.likeness import Closest

Ids = npt.NDArray[np.int64]


class CopiedRows(NamedTuple):
    """Rows of a source, each with the row of another, or of the same one, that it is like.

    Attributes:
        source: Name of the source.
        other: Name of the source of the rows that they are like.
        rows: int64 of shape (copies,), rows of the source, rising.
        originals: int64 of shape (copies,), the row of the other that each is like.
        similarity: float64 of shape (copies,), Jaccard similarity of their shingles, 0 to 1.
        identical: bool of shape (copies,), whether the two are the same to the last character.
    """

    source: str
    other: str
    rows: Ids
    originals: Ids
    similarity: npt.NDArray[np.float64]
    identical: npt.NDArray[np.bool_]


def find_copies(
    distinct: Distinct,
    rows: Ids,
    first: Ids,
    closest: Closest | None,
    are_originals: Callable[[Ids], npt.NDArray[np.bool_]],
) -> Iterator[CopiedRows]:
    """List rows that are copies of others.

    Args:
        distinct: What all rows hold.
        rows: int64 of shape (n,), which rows are looked at, by their numbers through all sources.
        first: int64 of shape (contents,), the row that an original with each content is: -1 where
            there is none.
        closest: The content that is nearly the same as each; None for identical rows only.
        are_originals: Which of n rows are originals of the rows that are looked at, one for each.

    Returns:
        One for each source and each source whose rows it copies. An identical row goes before one
        that is nearly the same.
    """
    contents = distinct.of_row[rows]
    originals = first[contents]
    identical = are_originals(originals)
    similarity = identical.astype(np.float64)
    if closest is not None:
        near = ~identical & (closest.content[contents] >= 0)
        originals[near] = first[closest.content[contents[near]]]
        similarity[near] = closest.similarity[contents[near]]
    kept = are_originals(originals)
    similarity, identical = similarity[kept], identical[kept]
    for pair in distinct.between_sources(rows[kept], originals[kept]):
        yield CopiedRows(
            pair.source, pair.other, pair.rows, pair.others,
            similarity[pair.places], identical[pair.places],
        )  # fmt: skip
