"""Finds the torch loader that a read is for, among the calls that have led to it."""

import sys
from types import CodeType, FrameType
from typing import Any, NamedTuple

from torch.utils.data._utils import fetch

_OF_ITEMS: CodeType = fetch._MapDatasetFetcher.fetch.__code__
_OF_STREAMS: CodeType = fetch._IterableDatasetFetcher.fetch.__code__


class Fetching(NamedTuple):
    """A loader's fetching of one batch.

    Attributes:
        fetcher: What fetches: an object of its own for each iterator over a loader, and each of its
            workers.
        batch: What it was asked for, an object of its own for each batch: a list of indices or,
            where a loader has no batches, one index.
    """

    fetcher: Any
    batch: Any


def fetching() -> Fetching | None:
    """What is fetched at present; None where no loader of torch asks."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is _OF_ITEMS or frame.f_code is _OF_STREAMS:
            told = frame.f_locals
            # With its rows at hand it collates, and what is looked at there is not shown.
            if frame.f_code is _OF_ITEMS and "data" in told:
                return None
            return Fetching(told["self"], told["possibly_batched_index"])
        frame = frame.f_back
    return None
