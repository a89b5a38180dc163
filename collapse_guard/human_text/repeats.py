"""Held-out documents that stand twice in a panel, or in the text that a model trains on."""

import logging
import math
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import members, understood
from collapse_guard.errors import PanelError, bad_argument
from collapse_guard.human_text.documents import Document
from collapse_guard.human_text.near_copies import join, near_copies
from collapse_guard.human_text.overlap import find_overlaps
from collapse_guard.human_text.windows import Windows

logger = logging.getLogger("collapse_guard")

SHINGLE_BITS = 128
"""Information in the runs of tokens that are looked up in the training text, as if tokens were
independent: human texts rarely share so much by chance. It makes 13 tokens of a vocabulary like
GPT-2's, the length that Brown et al. (GPT-3, 2020, appendix C) use, and 30 single characters."""

LEAK_SHARE = 0.7
"""Share of a document's shingles in the training text from which on it counts as leaked."""

Ids = npt.NDArray[np.int64]
T = TypeVar("T")


def shingle_length(entropy: float) -> int:
    """Tokens of the runs that hold `SHINGLE_BITS`, at `entropy` bits per token (at least 1).

    Example:
        >>> shingle_length(10.0), shingle_length(4.3)
        (13, 30)
    """
    return math.ceil(SHINGLE_BITS / max(entropy, 1.0))


def first_copies(documents: Mapping[int, T], content: Mapping[int, Hashable]) -> dict[int, T]:
    """The documents without those that repeat an earlier one, of which is told.

    Copies would count as independent documents, and make every standard error too small. They are
    left out and not refused, since held-out sets are full of them: nothing is lost with a copy.

    Args:
        documents: Each by its number.
        content: What makes two documents the same, for each of them.
    """
    first: dict[Hashable, int] = {}
    copies = [index for index in documents if first.setdefault(content[index], index) != index]
    if copies:
        logger.warning(
            "%d of %d held-out documents repeat another one (the first: document %d is document "
            "%d), and each such text counts once.",
            len(copies),
            len(documents),
            copies[0],
            first[content[copies[0]]],
        )
    return {index: documents[index] for index in first.values()}


def join_near_copies(windows: Windows, shingle: int) -> Ids:
    """The unit of each window: its group, where no document is nearly the same as one of another.

    Two groups of which one document each shares most of its runs of tokens with the other are one
    unit, and that is told. They are not left out, as copies are: their windows differ.

    Args:
        windows: The windows that are looked at.
        shingle: Tokens of the runs that are compared, across the windows of a document.

    Returns:
        int64 of shape (windows,), from 0, numbered in the order in which units first come.
    """
    changes = np.diff(windows.documents, prepend=-1) != 0
    documents, groups = windows.documents[changes], windows.groups[changes]
    places = np.cumsum(changes) - 1
    lengths = np.bincount(places) * windows.ids.shape[1]
    left, right = near_copies(windows.ids.ravel(), lengths, shingle)
    units: Ids = join(groups, left, right)
    apart = groups[left] != groups[right]
    if apart.any():
        first = np.flatnonzero(apart)[0]
        logger.warning(
            "%d of %d held-out documents share most of their runs of %d tokens with another one "
            "(the first: document %d with document %d), and count as one with it: %d independent "
            "documents are left of %d.",
            len(np.union1d(left[apart], right[apart])),
            len(documents),
            shingle,
            documents[right[first]],
            documents[left[first]],
            units.max() + 1,
            len(np.unique(groups)),
        )
    of_windows: Ids = units[places]
    return of_windows


def refuse_leaks(
    documents: Mapping[int, Ids], argument: str, training: Iterable[Document], shingle: int
) -> None:
    """Refuse held-out documents that stand in the training text, whole or nearly so.

    Args:
        documents: The held-out ones, each int64 of shape (tokens,), by its number.
        argument: The name of the argument that gave the training text.
        training: That text, a document at a time; read once.
        shingle: Tokens of the runs that are looked up.

    Raises:
        PanelError: One stands there.
        ArgumentError: There is nothing that it could stand in.
    """
    count = longest = 0

    def corpus() -> Iterator[Ids]:
        nonlocal count, longest
        wanted = {"expected": "documents of token ids", "hint": "tokenize the text first"}
        for document in members(argument, training, **wanted):
            with understood(argument, document, **wanted):
                ids = np.asarray(document, dtype=np.int64)
            if ids.ndim != 1:
                raise bad_argument(argument, given=document, **wanted)
            count, longest = count + 1, max(longest, len(ids))
            yield ids

    found = find_overlaps(list(documents.values()), corpus(), shingle=shingle)
    if documents and longest < shingle:
        raise bad_argument(
            argument,
            expected=f"documents to look the held-out ones up in, at least one of them of "
            f"{shingle} tokens or more",
            given=f"{count} documents of at most {longest} tokens" if longest else "no token",
            hint="give what the model trains on (as a list, since a generator that has been read "
            "once is empty), or leave it out",
        )
    overlaps = zip(documents, found, strict=True)
    leaked = [(index, overlap) for index, overlap in overlaps if overlap.share >= LEAK_SHARE]
    if leaked:
        index, overlap = leaked[0]
        raise PanelError(
            f"{len(leaked)} of {len(documents)} held-out documents stand in the training text (the "
            f"first: document {index}, of whose runs of {shingle} tokens {overlap.share:.0%} occur "
            f"there, mostly in training document {overlap.source}): take them out of one of the "
            f"two; a model cannot be looked at on text that it learns by heart."
        )
