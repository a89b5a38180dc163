"""How rows begin and end: the tokens or words that many of them share."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

End = tuple[Hashable, ...]
Mask = npt.NDArray[np.bool_]

LONGEST_END = 16
"""Tokens or words of an end that are looked at."""

_WIDTHS = (1, 4, LONGEST_END)
_SHARED_WIDTH = 8
_MOST_COMMON = 2
_FEWEST_TO_HALVE = 4


def common_ends(
    synthetic: Sequence[End], human: Sequence[End], *, first: bool
) -> dict[End, tuple[Mask, Mask]]:
    """The commonest openings or endings of either kind, and which rows have them.

    Args:
        synthetic: The first or last tokens of each synthetic row, up to `LONGEST_END`.
        human: Of each human row.
        first: Whether they are the first ones.

    Returns:
        For the two commonest ends of 1, 4 and 16 tokens of each kind, if more than one row has it,
        which rows have it: bool of shape (synthetic rows,) and of shape (human rows,). Ends are
        chosen on every other row and looked for in the rest, so that no chance makes them common;
        on all where a kind has fewer than four rows.
    """
    found = {}
    for width in _WIDTHS:
        cut = [[_cut(end, width, first=first) for end in ends] for ends in (synthetic, human)]
        for ends in cut:
            counts = Counter(end for end in _to_choose(ends) if end is not None)
            for end, count in counts.most_common(_MOST_COMMON):
                if count > 1:
                    ours, theirs = (_are(_to_count(each), end) for each in cut)
                    found[end] = ours, theirs
    return found


def shared_ends(ends: Sequence[End], *, first: bool, among: int) -> Mask:
    """Which rows begin, or end, with eight tokens that another row has too.

    The more rows, the more of them find their like, so that the kinds are compared with as many.

    Args:
        ends: As in `common_ends`.
        first: Whether they are the first ones.
        among: How many rows to compare, at even distances.

    Returns:
        bool of shape (among,).
    """
    chosen = np.arange(among) * len(ends) // max(among, 1)
    cut = [_cut(ends[row], _SHARED_WIDTH, first=first) for row in chosen.tolist()]
    counts = Counter(cut)
    return np.array([end is not None and counts[end] > 1 for end in cut], dtype=bool)


def common_lengths(
    synthetic: npt.NDArray[np.int64], human: npt.NDArray[np.int64]
) -> Mapping[int, tuple[Mask, Mask]]:
    """The commonest lengths of either kind and which rows have it, chosen as in `common_ends`."""
    found = {}
    for lengths in (synthetic, human):
        values, counts = np.unique(_to_choose(lengths), return_counts=True)
        for place in np.argsort(-counts, kind="stable")[:_MOST_COMMON].tolist():
            if counts[place] > 1:
                length = int(values[place])
                found[length] = _to_count(synthetic) == length, _to_count(human) == length
    return found


def phrase(end: End, name: Callable[[Hashable], str], unit: str, *, first: bool) -> str:
    """An end as what a row does: "starts with token 1"."""
    verb = "starts with" if first else "ends with"
    if len(end) == 1:
        return f"{verb} the {unit} {name(end[0])}"
    return f"{verb} the {len(end)} {unit}s {' '.join(name(each) for each in end)}"


def _cut(end: End, width: int, *, first: bool) -> End | None:
    if len(end) < width:
        return None
    return end[:width] if first else end[-width:]


def _are(ends: Sequence[End | None], wanted: End) -> Mask:
    return np.array([end == wanted for end in ends], dtype=bool)


def _to_choose(rows: Any) -> Any:
    return rows[::2] if len(rows) >= _FEWEST_TO_HALVE else rows


def _to_count(rows: Any) -> Any:
    return rows[1::2] if len(rows) >= _FEWEST_TO_HALVE else rows
