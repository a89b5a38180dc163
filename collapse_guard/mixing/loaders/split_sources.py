"""Refuses a mix of which each process has made its own, and is then dealt a part."""

import hashlib
import os
from collections.abc import Sequence
from typing import Any

from torch.utils.data import get_worker_info

from collapse_guard.distributed import launched_processes
from collapse_guard.errors import bad_argument
from collapse_guard.mixing.loaders.first_rows import exchanged
from collapse_guard.rows.row_digest import row_digest
from collapse_guard.rows.source import Source


class SplitSources:
    """Compares the sources of all processes, once in each, where these can talk to each other.

    Processes that begin at different slots are dealt parts of one mix. If their sources are parts
    as well, most rows would be shown by nobody. Who begins at the same slots reads a mix of its
    own, whatever is in it. Nobody waits for anybody.

    Args:
        sources: Of the mix.
        settings: What tells it from other mixes, but for the rows.
    """

    def __init__(self, sources: Sequence[Source], settings: object) -> None:
        self._sources = tuple(sources)
        names = repr([settings, *(source.name for source in sources)]).encode()
        self._name = hashlib.sha256(names).hexdigest()[:16]
        self._compared_in = -1

    def check(self, slot: int) -> None:
        """Refuse sources of which another process has others.

        Args:
            slot: The first of a batch; only that of the first batch of a process matters.

        Raises:
            ArgumentError: It has, and begins at another slot.
        """
        if self._compared_in == os.getpid():
            return
        self._compared_in = os.getpid()
        if launched_processes() == 1:
            return
        worker = get_worker_info()
        place = f"collapse_guard/sources/{self._name}/{0 if worker is None else worker.id}"
        digests = list(map(_digest, self._sources))
        mine, others = exchanged(place, " ".join([str(slot), *digests]))
        known = {word.partition(" ")[2] for word in mine}
        for words in others:
            begun, *theirs = words[-1].split()
            if begun == str(slot) or known & {word.partition(" ")[2] for word in words}:
                continue
            for source, own, other in zip(self._sources, digests, theirs, strict=False):
                if own != other:
                    raise bad_argument(
                        source.name,
                        expected="the same rows in each process, as all are dealt parts of one mix",
                        given="others in another one",
                        hint="give each process all rows, unsplit, and shuffled with the same seed",
                    )


def _digest(source: Source) -> str:
    """What can be told of its rows without running what a user may have put into reading them."""
    rows: Any = source.rows
    if (type(rows).__module__, type(rows).__qualname__) == ("datasets.arrow_dataset", "Dataset"):
        rows = rows.with_format("arrow")
    elif not isinstance(rows, list | tuple | range):
        return row_digest(len(rows))
    return row_digest([len(rows), rows[0], rows[len(rows) - 1]])
