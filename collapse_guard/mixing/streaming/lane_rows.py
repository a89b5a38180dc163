"""Splits the rows of a source among lanes, in proportion to what each lane asks of it."""

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from collapse_guard.errors import bad_argument
from collapse_guard.mixing.quotas.proportion import split_in_proportion
from collapse_guard.mixing.streaming.shard_chain import ShardChain, Sharded
from collapse_guard.rows.row_source import RowSource
from collapse_guard.rows.stream_steps import names_of_steps

# Steps that Hugging Face takes in each shard by itself where a stream is sharded.
_WHOLE = {
    "TakeExamplesIterable": "take",
    "SkipExamplesIterable": "skip",
    "CyclingMultiSourcesExamplesIterable": "interleave_datasets",
    "RandomlyCyclingMultiSourcesExamplesIterable": "interleave_datasets",
}


class RowRange:
    """Rows by number, from one to before another.

    Args:
        rows: All rows.
        start: The first.
        stop: The one after the last.
    """

    def __init__(self, rows: RowSource, start: int, stop: int) -> None:
        self._rows = rows
        self._start, self._stop = start, stop

    def __len__(self) -> int:
        """Number of rows."""
        return self._stop - self._start

    def __getitem__(self, index: int) -> Any:
        """One row."""
        return self._rows.read([self._start + index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Rows, in the order of their numbers here."""
        return self._rows.read([self._start + index for index in indices])


def split_among_lanes(
    name: str, rows: RowSource | Iterable[Any], asked: Sequence[int]
) -> list[tuple[int, ...]]:
    """Which parts of a source are whose.

    Each part is one lane's alone. A lane has as large a share of them as it has of the draws, to
    within one part, and at least one where it draws at all.

    Args:
        name: Of the source, for errors.
        rows: As opened: parts are rows where they can be read by number, else shards.
        asked: Draws of each lane, in all or of a part of the stream that stands for it.

    Returns:
        For each lane the first row and the one after the last, or the numbers of its shards.

    Raises:
        ArgumentError: There are too few parts, or the source cannot be read in parts.
    """
    is_sharded = not isinstance(rows, RowSource)
    parts = _num_shards(name, rows) if is_sharded else len(rows)  # type: ignore[arg-type]
    drawing = sum(map(bool, asked))
    if parts < drawing:
        unit = "shards" if is_sharded else "rows"
        raise bad_argument(
            "lanes",
            expected=f"at most {parts}, as {name!r} is in {parts} {unit}",
            given=f"{len(asked)} lanes, {drawing} of which show rows of {name!r}",
            hint=f"give fewer lanes, or {name!r} in more {unit}" + _finer_parts(rows),
        )
    shares = [0] * len(asked)
    whose = [lane for lane, draws in enumerate(asked) if draws]
    split = split_in_proportion(
        parts, [asked[lane] for lane in whose], [1] * len(whose), [parts] * len(whose)
    )
    for lane, share in zip(whose, split, strict=True):
        shares[lane] = share
    if not is_sharded:
        return list(pairwise(accumulate(shares, initial=0)))
    # Spread over the source, whose shards may be in order of time or subject.
    turns = np.concatenate([(np.arange(share) + 0.5) / max(share, 1) for share in shares])
    lanes = np.repeat(np.arange(len(shares)), shares)[np.argsort(turns, kind="stable")]
    return [tuple(np.flatnonzero(lanes == lane).tolist()) for lane in range(len(shares))]


def rows_of_lane(
    rows: RowSource | Iterable[Any], part: tuple[int, ...]
) -> RowSource | ShardChain | None:
    """What one lane reads of a source, opened anew; None where it is nothing.

    Args:
        rows: As opened.
        part: As of `split_among_lanes`.
    """
    if isinstance(rows, RowSource):
        start, stop = part
        return RowSource(rows.name, RowRange(rows, start, stop)) if start < stop else None
    return ShardChain(rows, part) if part and isinstance(rows, Sharded) else None


def _finer_parts(rows: Any) -> str:
    """Parquet files go by their row groups where a newer `datasets` is asked to."""
    return ", as its `.reshard()` has it for Parquet files" if hasattr(rows, "reshard") else ""


def _num_shards(name: str, rows: Any) -> int:
    if not isinstance(rows, Sharded):
        raise bad_argument(
            "lanes",
            expected=f"1, as {name!r} cannot be read in parts",
            given=rows,
            hint=f"give {name!r} as a Hugging Face IterableDataset of several files, as rows that "
            "are read by number, or with `num_shards` and `shard(num_shards, index)`",
        )
    if whole := sorted(names_of_steps(rows) & set(_WHOLE)):
        raise bad_argument(
            name,
            expected="a stream that has the same rows in parts as in one, with lanes",
            given=f"one made with `{_WHOLE[whole[0]]}`, which each part would do by itself: with "
            "other rows, some of which may have been kept apart",
            hint="give the streams that it was made of as sources of their own, keep rows apart by "
            "whole files, or give lanes=1",
        )
    return int(rows.num_shards)
