"""Rows that say again what an earlier row of their kind says, in their own source or in another."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.copied_rows import find_copies
from collapse_guard.audit.distinct import Distinct
from collapse_guard.audit.likeness import Likeness
from collapse_guard.rows.source import Kind

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RepeatedRows:
    """Rows of a source that hold the same as earlier rows of the same kind, or nearly so.

    Without the rows that are listed each text stands once among the human rows, and once among the
    synthetic ones.

    Attributes:
        source: Name of the source.
        other: Name of the source of the earlier rows: the same one, or one that was given before
            it.
        rows: int64 of shape (repeated,), rows of the source, rising, each once.
        originals: int64 of shape (repeated,), the earlier row: the first of those that hold the
            same, else the one that is most like it.
        similarity: float64 of shape (repeated,), Jaccard similarity of their shingles, 0 to 1.
        identical: bool of shape (repeated,), whether the two are the same to the last character.
    """

    source: str
    other: str
    rows: Ids
    originals: Ids
    similarity: npt.NDArray[np.float64]
    identical: npt.NDArray[np.bool_]


def find_repeated(distinct: Distinct, likeness: Likeness | None, kind: Kind) -> list[RepeatedRows]:
    """List the rows of a kind that repeat earlier ones.

    Args:
        distinct: What all rows hold.
        likeness: What is nearly the same; None for identical rows only.
        kind: The rows that are compared with each other.

    Returns:
        One for each source and each source whose rows it repeats.
    """
    rows = distinct.rows_of(kind)
    found = find_copies(
        distinct,
        rows,
        distinct.first[kind],
        None if likeness is None else likeness.earlier[kind],
        lambda originals: originals < rows,
    )
    return [RepeatedRows(*each) for each in found]
