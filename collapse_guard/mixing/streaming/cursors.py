"""Reads the rows of one source in the order of its draws, and says when there are no more."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from collapse_guard.mixing.order.row_order import RowOrder
from collapse_guard.mixing.strata.strata import Strata
from collapse_guard.rows.row_source import RowSource
from collapse_guard.statistics.json_forms import Part

NO_LIMIT = 2**62
"""As many draws as `max_repeats=None` needs to stand for no limit."""

Check = Callable[[Sequence[Any], Sequence[int]], None]


class Cursor(Protocol):
    """Rows by draw. Draws are asked for in rising order, with gaps where others read the rest."""

    def reach(self, draws: int) -> int:
        """How many of the first `draws` draws there are rows for."""

    def read(self, draws: Sequence[int]) -> list[Any]:
        """The rows of some draws that `reach` has said are there."""

    def forget(self, draws: int) -> None:
        """The first `draws` draws are not asked for again."""

    def state_dict(self) -> dict[str, Any]:
        """What it takes to go on from the first draw that is not forgotten; plain data."""

    def check_state(self, state: Part, *, drawn: int, furthest: int | None) -> None:
        """Refuse what `state_dict` cannot have said.

        Args:
            state: What it shall go on from.
            drawn: How many draws were asked for.
            furthest: How many of these it may have kept, at most; None for any number.

        Raises:
            ArgumentError: Names the part that is wrong.
        """

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""


class MapCursor:
    """Rows that can be read by number: each pass shows all of them, in a seeded order of its own.

    Args:
        rows: The rows.
        max_repeats: Passes, or None for no end of them.
        key: The seed, and a number that tells this source from others of the same seed.
        check: Refuses rows, given with their numbers, that do not fit those of other sources.
    """

    def __init__(
        self,
        rows: RowSource,
        *,
        max_repeats: int | None,
        key: tuple[int, int],
        check: Check | None = None,
    ) -> None:
        self._rows = rows
        self._check = check
        self._stream = RowOrder(Strata.unranked(len(rows)), [len(rows)], key=key)
        self._supply = NO_LIMIT if max_repeats is None else len(rows) * max_repeats

    def reach(self, draws: int) -> int:
        """As `Cursor.reach`."""
        return min(draws, self._supply)

    def read(self, draws: Sequence[int]) -> list[Any]:
        """As `Cursor.read`."""
        numbers, _ = self._stream.rows(np.array(draws, dtype=np.int64))
        rows = self._rows.read(numbers.tolist())
        if self._check is not None:
            self._check(rows, numbers.tolist())
        return rows

    def forget(self, draws: int) -> None:
        """Nothing is kept."""

    def state_dict(self) -> dict[str, Any]:
        """Empty: what a draw shows follows from its number."""
        return {}

    def check_state(self, state: Part, *, drawn: int, furthest: int | None) -> None:
        """As `Cursor.check_state`."""
        state.keys()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing is to be restored."""


class NoCursor:
    """The rows of a source of which a lane has none."""

    def reach(self, draws: int) -> int:
        """As `Cursor.reach`."""
        return 0

    def read(self, draws: Sequence[int]) -> list[Any]:
        """As `Cursor.read`: no draw is asked for."""
        return []

    def forget(self, draws: int) -> None:
        """Nothing is kept."""

    def state_dict(self) -> dict[str, Any]:
        """Empty."""
        return {}

    def check_state(self, state: Part, *, drawn: int, furthest: int | None) -> None:
        """As `Cursor.check_state`."""
        state.keys()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing is to be restored."""
