"""How many rows a source of a stream has, as far as it says so: what a golden floor needs."""

from typing import Any

from collapse_guard.arguments import understood, whole_number
from collapse_guard.errors import bad_argument
from collapse_guard.rows.source import Source


def known_rows(source: Source) -> int:
    """Rows of a source: as it was told, or as it says itself.

    Raises:
        ArgumentError: It is not known how many there are.
    """
    if source.num_rows is not None:
        return source.num_rows
    rows: Any = source.rows
    hint = f"give Source(..., {source.name!r}, num_rows=...), or a share"
    with understood(source.name, rows, expected="rows with a length that can be told", hint=hint):
        count = len(rows) if hasattr(rows, "__len__") else None
    if count is None:
        raise bad_argument(
            "human_fraction",
            expected=f"a share, where {source.name!r} does not say how many rows it has",
            given="golden",
            hint=hint,
        )
    return whole_number(source.name, count, least=1, hint="give it at least one row")
