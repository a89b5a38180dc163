"""One pass over a source that keeps a few numbers of each row, and no row."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.exact_duplicates import Keys, empty_rows, identity_keys
from collapse_guard.audit.near_duplicates import Bands, band_keys
from collapse_guard.human_text.shingles import Hashes
from collapse_guard.rows.column import Column


@dataclass(frozen=True, eq=False)
class Scan:
    """What is kept of the rows of one source.

    Attributes:
        column: The source and its column.
        keys: uint64 of shape (rows,), `identity_keys`.
        is_empty: bool of shape (rows,), `empty_rows`.
        bands: uint64 of shape (rows, bands), `band_keys`; no bands where none were asked for.
        has_shingles: bool of shape (rows,), whether the bands mean anything.
    """

    column: Column
    keys: Keys
    is_empty: npt.NDArray[np.bool_]
    bands: Hashes
    has_shingles: npt.NDArray[np.bool_]


def scan(column: Column, bands: Bands | None) -> Scan:
    """Read a source once.

    Args:
        column: The source and its column.
        bands: How to cut MinHash signatures, 8 bytes a row and band; None for none.

    Raises:
        ArgumentError: A row holds something else than the others.
        MissingExtraError: `rensa` is needed for the bands and not installed.
    """
    rows = len(column)
    done = Scan(
        column,
        np.zeros(rows, dtype=np.uint64),
        np.zeros(rows, dtype=bool),
        np.zeros((rows, 0 if bands is None else bands.number), dtype=np.uint64),
        np.zeros(rows, dtype=bool),
    )
    start = 0
    for contents in column.batches():
        keys = identity_keys(contents)
        part = slice(start, start + len(keys))
        done.keys[part] = keys
        done.is_empty[part] = empty_rows(contents)
        if bands is not None:
            done.bands[part], done.has_shingles[part] = band_keys(contents, bands)
        start = part.stop
    return done
