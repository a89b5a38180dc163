"""Reads the rows of a batch from several sources at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.rows.arrow_rows import ArrowRows
from collapse_guard.rows.row_check import RowCheck
from collapse_guard.rows.row_source import Rows, another_number, read_rows


class BatchReader:
    """Rows of several sources, by source and row number.

    Hugging Face data sets of one kind are read together, see `ArrowRows`. Any others are read with
    one call of `__getitems__` a source where they have it, and row by row where they do not.

    Args:
        sources: The rows of each source.
        names: Of the sources, for errors; None to number them.
        check: Refuses rows that do not fit the others; None to leave that to a collator.
    """

    def __init__(
        self,
        sources: Sequence[Rows],
        names: Sequence[str] | None = None,
        check: RowCheck | None = None,
    ) -> None:
        self._sources = tuple(sources)
        self._names = tuple(names or (f"source {number}" for number in range(len(sources))))
        self._check = check
        self._together = ArrowRows.of(self._sources)

    def __reduce__(self) -> tuple[Any, ...]:
        # Views on Arrow buffers would travel as copies of all rows.
        return type(self), (self._sources, self._names, self._check)

    def read(self, sources: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> list[Any]:
        """The rows of a batch.

        Args:
            sources: int64 of shape (n,), from which source each row comes; n at least 1.
            rows: int64 of shape (n,), its number there.

        Returns:
            n rows, in the order asked for.

        Raises:
            ArgumentError: A source gave more rows than were asked of it, or fewer.
        """
        if self._together is not None:
            read = self._together.read(sources, rows)
            if len(read) == len(rows):
                return read
            # Which source it is shows when each is read by itself.
            together = another_number(" and ".join(self._names), asked=len(rows), given=len(read))
        batch: list[Any] = [None] * len(rows)
        for source in set(sources.tolist()):
            places = np.flatnonzero(sources == source)
            read = read_rows(self._names[source], self._sources[source], rows[places].tolist())
            if self._check is not None:
                self._check.rows(source, read, rows[places].tolist())
            for place, row in zip(places.tolist(), read, strict=True):
                batch[place] = row
        if self._together is not None:
            raise together
        return batch
