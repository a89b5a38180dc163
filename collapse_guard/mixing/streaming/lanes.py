"""Lanes of a stream: parts of its slots, each with rows of its own, so that readers share no row.

Portion p of the stream is lane (p mod lanes)'s, and a lane has files or ranges of each source to
itself. So a reader whose portions are those of some lanes reads the rows of these lanes only, and
what a slot shows follows from the slot, the seed and the number of lanes, whoever reads it. Who
gets a slot does not depend on lanes at all, so the floor is that of a stream without.
"""

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import whole_number
from collapse_guard.errors import MixOrderError, bad_argument
from collapse_guard.mixing.order.slots import Slots
from collapse_guard.mixing.streaming.lane_rows import rows_of_lane, split_among_lanes
from collapse_guard.mixing.streaming.lane_slots import LaneSlots
from collapse_guard.mixing.streaming.shard_chain import ShardChain
from collapse_guard.rows.row_source import RowSource
from collapse_guard.rows.source import Source

logger = logging.getLogger("collapse_guard")

MOST_LANES = 2**16
# Paces that differ by less are not worth a word.
_ALIKE = 1.1
# What lanes ask for is counted in full up to so many slots, else in stretches of as many in all.
_COUNTED = 2**20
_STRETCHES = 16


@dataclass(frozen=True, eq=False)
class Lanes:
    """The lanes of a stream.

    Attributes:
        slots: Of each lane.
        size: Slots of a portion.
        parts: Of each source, what is each lane's, as of `split_among_lanes`.
        length: Places of each lane, a whole number of portions; None where there is no end.
    """

    slots: tuple[LaneSlots, ...]
    size: int
    parts: tuple[list[tuple[int, ...]], ...]
    length: int | None

    def __len__(self) -> int:
        """Number of lanes."""
        return len(self.slots)

    def rows(
        self, sources: Sequence[RowSource | Iterable[Any]], lane: int
    ) -> list[RowSource | ShardChain | None]:
        """What a lane reads of each source, opened anew.

        Args:
            sources: Rows of the whole, as opened.
            lane: Its number.
        """
        return [
            rows_of_lane(rows, split[lane]) for rows, split in zip(sources, self.parts, strict=True)
        ]


def rounded_up(length: int | None, block_size: int, lanes: int, size: int) -> int | None:
    """A length after which every lane ends with a whole portion, and the stream with a block."""
    unit = math.lcm(block_size, lanes * size)
    return None if length is None else -(-length // unit) * unit


def check_lanes(
    batch_size: Any, *, length: int | None, max_repeats: int | None, sources: Sequence[Source]
) -> int:
    """Refuse what several lanes cannot keep, as no reader of one sees where the others end.

    Args:
        batch_size: As of `MixStream`, as are the others.
        length: As of `MixStream`.
        max_repeats: As of `MixStream`.
        sources: Those that have slots.

    Returns:
        Slots of a portion.

    Raises:
        ArgumentError: One of them cannot work with lanes.
    """
    for source in sources:
        if source.when_dry == "stop":
            raise bad_argument(
                "when_dry",
                expected="'error' or 'human' with lanes",
                given=source.when_dry,
                hint=f"no reader of a lane sees where {source.name!r} ends in the others: give "
                "max_repeats=None, or lanes=1",
            )
        if length is None and (source.max_repeats or max_repeats) is not None:
            raise bad_argument(
                "length",
                expected="a number of slots with lanes, or no limit by max_repeats",
                given=length,
                hint=f"no reader of a lane sees where {source.name!r} ends in the others: say how "
                "long the stream is, or give max_repeats=None",
            )
    hint = "give the batch size of the loader, which lanes are dealt out by"
    return whole_number("batch_size", batch_size, least=1, hint=hint)


def plan_lanes(
    sources: Sequence[Source],
    rows: Sequence[RowSource | Iterable[Any]],
    slots: Slots,
    *,
    lanes: int,
    size: int,
    length: int | None,
) -> Lanes:
    """The lanes of a stream, and what of each source is whose.

    Args:
        sources: As described by the user.
        rows: As opened.
        slots: Who gets which slots.
        lanes: How many there are.
        size: Slots of a portion.
        length: Slots of the stream, a whole number of portions of each lane; None for no end.

    Raises:
        ArgumentError: A source cannot be split among so many lanes.
    """
    asked = _asked(slots, lanes=lanes, size=size, length=length)
    parts = tuple(
        split_among_lanes(source.name, of_source, asked[:, number].tolist())
        for number, (source, of_source) in enumerate(zip(sources, rows, strict=True))
    )
    for number, (source, of_source, split) in enumerate(zip(sources, rows, parts, strict=True)):
        _tell_paces(source.name, isinstance(of_source, RowSource), split, asked[:, number].tolist())
    return Lanes(
        slots=tuple(
            LaneSlots(slots, lane=lane, lanes=lanes, size=size, repeats=length is None)
            for lane in range(lanes)
        ),
        size=size,
        parts=parts,
        length=None if length is None else length // lanes,
    )


def check_readers(lanes: Lanes | None, readers: int) -> None:
    """Refuse numbers of readers that would have to share a lane.

    Args:
        lanes: Of the stream, if it has any.
        readers: How many there are.

    Raises:
        MixOrderError: Says what to set.
    """
    if lanes is not None and len(lanes) % readers:
        raise MixOrderError(
            f"{readers} readers (processes x workers) would read the same rows of a MixStream with "
            f"lanes={len(lanes)}: give it lanes={math.lcm(len(lanes), readers)}, or as many "
            "readers as divide its lanes."
        )


def _tell_paces(
    name: str, by_number: bool, split: Sequence[tuple[int, ...]], asked: Sequence[int]
) -> None:
    """Say so where lanes go through a source at paces that differ, if its parts are alike."""
    paces = [
        draws / (part[1] - part[0] if by_number else len(part))
        for part, draws in zip(split, asked, strict=True)
        if draws
    ]
    if paces and max(paces) > _ALIKE * min(paces):
        logger.warning(
            "the lanes of a MixStream show rows of %r %.2f times as often in one as in another: "
            "give it in more shards, or a block_size that divides batch_size.",
            name,
            max(paces) / min(paces),
        )


def _asked(slots: Slots, *, lanes: int, size: int, length: int | None) -> npt.NDArray[np.int64]:
    """Draws of each lane from each source: int64 of shape (lanes, sources)."""
    deal = lanes * size
    # In whole deals, of which each lane has as much.
    stretch, starts = _COUNTED // _STRETCHES // deal * deal + deal, [0]
    if length is None:
        stretch *= _STRETCHES
    elif length <= stretch * _STRETCHES:
        stretch = length
    else:
        apart = (length - stretch) // deal / (_STRETCHES - 1)
        starts = [int(number * apart) * deal for number in range(_STRETCHES)]
    counts = np.zeros((lanes, slots.num_sources), dtype=np.int64)
    for start in starts:
        chosen = np.arange(start, start + stretch)
        keys = chosen // size % lanes * slots.num_sources + slots.assign(chosen)[0]
        counts += np.bincount(keys, minlength=counts.size).reshape(counts.shape)
    return counts
