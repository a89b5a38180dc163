"""Runs of tokens as 64-bit hashes: what texts are compared by when their words are to be equal."""

import numpy as np
import numpy.typing as npt

from collapse_guard.scrambling import scramble

Ids = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def shingle_hashes(ids: Ids, shingle: int) -> Hashes:
    """Hash every run of `shingle` ids.

    Args:
        ids: int64 of shape (tokens,).
        shingle: Tokens per run, at least 1.

    Returns:
        uint64 of shape (max(tokens - shingle + 1, 0),), in the order of the text.

    Example:
        >>> hashes = shingle_hashes(np.array([1, 2, 1, 2]), 2)
        >>> len(hashes), bool(hashes[0] == hashes[2]), bool(hashes[0] == hashes[1])
        (3, True, False)
    """
    count = max(len(ids) - shingle + 1, 0)
    tokens = scramble(ids.astype(np.uint64))
    hashes = np.zeros(count, dtype=np.uint64)
    for offset in range(shingle):
        hashes = hashes * _MULTIPLIER + tokens[offset : offset + count]
    return scramble(hashes)


def document_shingles(ids: Ids, lengths: Ids, shingle: int) -> tuple[Hashes, Ids]:
    """Hash every run that lies within one document.

    Args:
        ids: int64 of shape (tokens,), documents end to end.
        lengths: int64 of shape (documents,), their tokens.
        shingle: Tokens per run, at least 1.

    Returns:
        The hashes, uint64 of shape (runs,), in the order of the text; and the document that each
        is from, int64 of shape (runs,).

    Example:
        >>> document_shingles(np.arange(5), np.array([3, 2]), 2)[1].tolist()
        [0, 0, 1]
    """
    owners = np.repeat(np.arange(len(lengths)), lengths)
    found = shingle_hashes(ids, shingle)
    starts = owners[: len(found)]
    within = starts == owners[len(owners) - len(found) :]
    return found[within], starts[within]
