"""Rows of a stream that were read together, in the order that they are shown in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.mixing.order.permutation import derive_keys, permute


@dataclass(frozen=True)
class Place:
    """Where a chunk begins in its stream.

    Attributes:
        pass_number: From 0.
        row: Of the pass, from 0.
        state: Of the stream, to go on from; None to read the pass from its beginning.
    """

    pass_number: int
    row: int
    state: Any


@dataclass(frozen=True)
class Chunk:
    """Rows by draw.

    Attributes:
        first_draw: That shows the first of the rows.
        rows: In the order that they are shown in.
        place: Where the chunk begins.
        digest: Of the row there, whether it is shown or not.
    """

    first_draw: int
    rows: Sequence[Any]
    place: Place
    digest: str

    @property
    def end(self) -> int:
        """The draw after the last."""
        return self.first_draw + len(self.rows)


def shuffled(rows: Sequence[Any], place: Place, key: npt.NDArray[np.uint64]) -> list[Any]:
    """The rows of a chunk in an order of their own, which follows from its place and the key.

    Args:
        rows: In the stream's order.
        place: Where they begin.
        key: uint64 of shape (1,), of the source.
    """
    sizes = np.full(len(rows), len(rows), dtype=np.int64)
    chunk = derive_keys(key, _one(place.pass_number), _one(place.row))
    order = permute(np.arange(len(rows)), sizes, np.repeat(chunk, len(rows)))
    return [rows[number] for number in order.tolist()]


def _one(number: int) -> npt.NDArray[np.int64]:
    return np.array([number], dtype=np.int64)
