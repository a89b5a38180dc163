"""One pass over a source that keeps a few numbers of each row, and no row."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.anchors import ANCHORS, Anchors, row_anchors
from collapse_guard.audit.exact_duplicates import Keys, empty_rows, identity_keys
from collapse_guard.audit.row_shingles import RowShingles
from collapse_guard.rows.column import Column
from collapse_guard.rows.source import Kind


@dataclass(frozen=True, eq=False)
class Scan:
    """What is kept of the rows of one source.

    Attributes:
        column: The source and its column.
        kind: Whether people wrote the rows.
        keys: uint64 of shape (rows,), `identity_keys`.
        is_empty: bool of shape (rows,), `empty_rows`.
        anchors: uint32 of shape (rows, ANCHORS), `row_anchors`; of shape (rows, 0) where nothing
            but identical rows is looked for.
        sizes: uint32 of shape (rows,), how many shingles each row has; none with `anchors`.
    """

    column: Column
    kind: Kind
    keys: Keys
    is_empty: npt.NDArray[np.bool_]
    anchors: Anchors
    sizes: npt.NDArray[np.uint32]


def scan(column: Column, kind: Kind, *, near: bool) -> Scan:
    """Read a source once.

    Args:
        column: The source and its column.
        kind: Whether people wrote the rows.
        near: Whether more than identical rows is looked for.

    Raises:
        ArgumentError: A row holds something else than the others.
    """
    rows = len(column)
    done = Scan(
        column,
        kind,
        np.zeros(rows, dtype=np.uint64),
        np.zeros(rows, dtype=bool),
        np.zeros((rows, ANCHORS if near else 0), dtype=np.uint32),
        np.zeros(rows, dtype=np.uint32),
    )
    start = 0
    for contents in column.batches():
        keys = identity_keys(contents)
        part = slice(start, start + len(keys))
        done.keys[part] = keys
        done.is_empty[part] = empty_rows(contents)
        if near:
            shingles = RowShingles.of(contents)
            done.anchors[part] = row_anchors(shingles)
            done.sizes[part] = shingles.sizes
        start = part.stop
    return done
