"""Ray data sets whose blocks are as a test wants them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa


def blocks_of(column: str, rows: Sequence[Any], cuts: Sequence[int]) -> Any:
    """A data set of one column, cut into blocks before these rows."""
    # Seconds, which tests without a cluster need not pay.
    import ray.data

    borders = [0, *cuts, len(rows)]
    kind = pa.array(list(rows)).type
    tables = [
        pa.table({column: pa.array(list(rows[start:stop]), kind)})
        for start, stop in pairwise(borders)
    ]
    return ray.data.from_arrow(tables)
