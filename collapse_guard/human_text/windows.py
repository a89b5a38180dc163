"""From documents to windows of one length, and which of those to keep."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.errors import PanelError
from collapse_guard.spacing import evenly_spaced

Ids = npt.NDArray[np.int64]


class Windows(NamedTuple):
    """Windows of documents, those of one group one after another.

    Attributes:
        ids: int64 of shape (windows, window), their tokens.
        documents: int64 of shape (windows,), the number of the document that each is from.
        groups: int64 of shape (windows,), rising, the group that the document belongs to.
    """

    ids: Ids
    documents: Ids
    groups: Ids


def long_enough(documents: Mapping[int, Ids], window: int, *, drop: bool) -> dict[int, Ids]:
    """The documents that make at least one window, by their numbers.

    Args:
        documents: Each int64 of shape (tokens,), by its number.
        window: Tokens per window.
        drop: Whether to leave shorter ones out.

    Raises:
        PanelError: One is shorter, and is not to be left out.
    """
    too_short = [index for index, ids in documents.items() if len(ids) < window]
    if too_short and not drop:
        raise PanelError(
            f"{len(too_short)} of {len(documents)} held-out documents are shorter than a window of "
            f"{window} tokens (the first: document {too_short[0]} with "
            f"{len(documents[too_short[0]])}): use a shorter `window`, or leave them out with "
            f'`short="drop"`.'
        )
    return {index: ids for index, ids in documents.items() if len(ids) >= window}


def cut(ids: Ids, window: int) -> Ids:
    """A document as int64 of shape (windows, window); what is left over is not used."""
    return ids[: len(ids) // window * window].reshape(-1, window)


def spread(windows: Ids, most: int) -> Ids:
    """Which windows to keep so that they are spread over the documents.

    Every document gives its first window, then every one that has a second gives that, and so on;
    where the last round cannot take one of each, it takes from documents at even distances.

    Args:
        windows: int64 of shape (documents,), how many windows each document has.
        most: How many to keep at most.

    Returns:
        int64 of shape (kept,), ascending: their numbers among all windows in the documents' order.

    Example:
        >>> spread(np.array([5, 1, 2]), 5).tolist()
        [0, 1, 5, 6, 7]
        >>> spread(np.array([1, 1, 1, 1, 9]), 3).tolist()
        [0, 2, 4]
    """
    first = np.cumsum(windows) - windows
    kept = np.zeros(0, np.int64)
    for place in range(int(windows.max(initial=0))):
        having = first[windows > place] + place
        room = most - len(kept)
        if len(having) >= room:
            chosen = evenly_spaced(room, len(having))
            return np.sort(np.concatenate([kept, having[chosen]]))
        kept = np.concatenate([kept, having])
    return np.sort(kept)


def cut_all(documents: Mapping[int, Ids], groups: Ids, window: int, most: int | None) -> Windows:
    """Cut documents into windows, and keep so many that they are spread over groups.

    The windows of a group come in turn from its documents: the first of each, then the second.

    Args:
        documents: Each int64 of shape (tokens,), by its number; their numbers rise.
        groups: int64 of shape (documents,), the group of each document, by its number.
        window: Tokens per window.
        most: How many windows to keep at most; None for all.

    Example:
        >>> documents = {0: np.arange(6), 1: np.arange(6, 10), 2: np.arange(20, 26)}
        >>> windows = cut_all(documents, np.array([0, 1, 0]), 2, 4)
        >>> windows.ids.tolist(), windows.documents.tolist(), windows.groups.tolist()
        ([[0, 1], [20, 21], [6, 7], [8, 9]], [0, 2, 1, 1], [0, 0, 1, 1])
    """
    numbers = sorted(documents, key=groups.__getitem__)
    cuts = [cut(documents[number], window) for number in numbers]
    ids = np.concatenate([np.zeros((0, window), np.int64), *cuts])
    owners = np.repeat(np.array(numbers, np.int64), [len(each) for each in cuts])
    places = np.concatenate([np.zeros(0, np.int64), *(np.arange(len(each)) for each in cuts)])
    if most is not None and len(ids) > most:
        in_turn = np.lexsort((places, groups[owners]))
        _, sizes = np.unique(groups[owners], return_counts=True)
        kept = np.sort(in_turn[spread(sizes, most)])
        ids, owners = ids[kept], owners[kept]
    return Windows(ids, owners, groups[owners])
