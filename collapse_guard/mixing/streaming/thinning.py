"""Which rows of a stream are shown in a pass, where some are to be shown less often than others.

With u in [0, 1) that follows from the seed and the number of a row in its stream, a row of quality
q, from 0 to 1, is shown in pass p where floor((p + 1) q + u) > floor(p q + u). So it is shown
floor(P q) or ceil(P q) times in the first P passes, P q times on average, and never twice in one:
what each row gets follows from its own quality alone, in every process alike, and nothing is
remembered or estimated. Where passes give the rows in other orders, as Hugging Face's streams of
several files do without lanes, a row has another u in each, and P q is the average alone.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import understood
from collapse_guard.errors import bad_argument
from collapse_guard.mixing.order.permutation import derive_keys
from collapse_guard.mixing.streaming.stream_chunks import Place
from collapse_guard.rows.source import Source

Qualities = Callable[[Sequence[Any]], npt.NDArray[np.float64]]

# Shuffles within a chunk have keys of two numbers below this one.
_THINNING = 2**62
_HINT = (
    "1 for rows to show in every pass, 0.5 in every second, 0 for never; divide by the largest "
    "where there is one"
)


def qualities_of(source: Source, boost: Qualities | None = None) -> Qualities | None:
    """What tells the qualities of rows of a stream; None where all are shown.

    Args:
        source: Whose `quality` is a column's name, a function of a row, or None.
        boost: Tells the share of the passes that rarity gives, by which quality is multiplied.
    """
    given: Any = source.quality
    if given is None:
        return boost
    read = given if callable(given) else _column(given)
    expected = f"a number from 0 to 1 for each row of {source.name!r}"

    def qualities(rows: Sequence[Any]) -> npt.NDArray[np.float64]:
        with understood("quality", given, expected=expected, hint=_HINT):
            values = np.array([float(read(row)) for row in rows], dtype=np.float64)
        # Not a number is not below anything: written so that it fails.
        wrong = values[~((values >= 0) & (values <= 1))]
        if wrong.size:
            raise bad_argument("quality", expected=expected, given=float(wrong[0]), hint=_HINT)
        return values if boost is None else values * boost(rows)

    return qualities


def shown_in_pass(
    qualities: npt.NDArray[np.float64],
    first_row: int,
    pass_number: int,
    key: npt.NDArray[np.uint64],
) -> npt.NDArray[np.bool_]:
    """Which of some rows in a row are shown.

    Args:
        qualities: Of each, float64 of shape (n,) from 0 to 1.
        first_row: Number of the first of them in its stream.
        pass_number: From 0.
        key: Of the source, uint64 of shape (1,).

    Returns:
        bool of shape (n,).

    Example:
        >>> key = np.array([7], dtype=np.uint64)
        >>> passes = [shown_in_pass(np.full(4, 0.5), 0, number, key) for number in range(2)]
        >>> (passes[0] ^ passes[1]).tolist()
        [True, True, True, True]
    """
    rows = np.arange(first_row, first_row + len(qualities))
    keys = derive_keys(np.repeat(key, len(rows)), np.full(len(rows), _THINNING), rows)
    # 53 bits, which a float64 holds, so that it stays below 1.
    starts = (keys >> np.uint64(11)).astype(np.float64) * 2.0**-53
    before = np.floor(pass_number * qualities + starts)
    shown: npt.NDArray[np.bool_] = np.floor((pass_number + 1) * qualities + starts) > before
    return shown


class Thinning:
    """Leaves out what a pass does not show, and notices where no pass would show anything.

    Args:
        qualities: Tells those of rows.
        key: Of the source, uint64 of shape (1,).
    """

    def __init__(self, qualities: Qualities, key: npt.NDArray[np.uint64]) -> None:
        self._qualities, self._key = qualities, key
        # Rows read one after another that no pass would show.
        self._in_vain = 0

    def shown(self, rows: Sequence[Any], place: Place) -> list[Any]:
        """Those of a chunk's rows that are shown.

        Args:
            rows: In the stream's order.
            place: Where they begin.
        """
        values = self._qualities(rows)
        self._in_vain = 0 if values.any() else self._in_vain + len(rows)
        shown = shown_in_pass(values, place.row, place.pass_number, self._key)
        return [rows[number] for number in np.flatnonzero(shown).tolist()]

    def check_pass(self, name: str, rows: int) -> None:
        """Refuse a source none of whose rows may be shown.

        Args:
            name: Of the source.
            rows: Of the pass that is over.

        Raises:
            ArgumentError: All of them have a quality of 0.
        """
        if self._in_vain >= rows:
            raise bad_argument(
                "quality",
                expected=f"a number above 0 for some row of {name!r}",
                given=0.0,
                hint="give 1 for rows to show in every pass, or leave the source out",
            )


def _column(name: str) -> Callable[[Any], Any]:
    return lambda row: row[name]
