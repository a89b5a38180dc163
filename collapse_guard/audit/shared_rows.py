"""Synthetic rows that stand in human sources too, word for word or nearly so."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.copied_rows import find_copies
from collapse_guard.audit.distinct import Distinct
from collapse_guard.audit.likeness import Likeness

Ids = npt.NDArray[np.int64]


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


def find_shared(distinct: Distinct, likeness: Likeness | None) -> list[SharedRows]:
    """List the synthetic rows that stand in human sources.

    Args:
        distinct: What all rows hold.
        likeness: What is nearly the same; None for identical rows only.

    Returns:
        One for each synthetic and each human source that share a row.
    """
    found = find_copies(
        distinct,
        distinct.rows_of("synthetic"),
        distinct.first["human"],
        None if likeness is None else likeness.human,
        lambda originals: originals >= 0,
    )
    return [SharedRows(*each) for each in found]
