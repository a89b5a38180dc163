"""Which rows hold the same as others: contents by 64-bit keys."""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from collapse_guard.human_text.token_rows import TokenRows
from collapse_guard.rows.column import Contents

Keys = npt.NDArray[np.uint64]

_BYTES = 8


def identity_keys(contents: Contents) -> Keys:
    """A key for each row: equal for equal contents, and hardly ever for others.

    Of n rows, two different ones share a key with a probability of about n^2 / 2^65: 3 in 100
    million for a million rows. The hash is BLAKE2b (RFC 7693), so that no kind of text is worse
    off than another.

    Args:
        contents: Some rows.

    Returns:
        uint64 of shape (rows,).

    Example:
        >>> keys = identity_keys(["a", "b", "a"])
        >>> bool(keys[0] == keys[2]), bool(keys[0] == keys[1])
        (True, False)
    """
    digests = b"".join(blake2b(row, digest_size=_BYTES).digest() for row in _bytes(contents))
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def empty_rows(contents: Contents) -> npt.NDArray[np.bool_]:
    """Which rows hold nothing: no token, or no character but spaces. bool of shape (rows,)."""
    if isinstance(contents, TokenRows):
        none: npt.NDArray[np.bool_] = contents.lengths == 0
        return none
    return np.array([not text.strip() for text in contents], dtype=bool)


def find_identical(keys: Keys, among: Keys) -> npt.NDArray[np.int64]:
    """The first row with the same contents, for each row.

    Args:
        keys: uint64 of shape (rows,).
        among: uint64 of shape (others,), where to look.

    Returns:
        int64 of shape (rows,), from 0 to `others` - 1, and -1 where there is none.

    Example:
        >>> find_identical(np.array([5, 7], np.uint64), np.array([3, 7, 7], np.uint64)).tolist()
        [-1, 1]
    """
    known, first = np.unique(among, return_index=True)
    if not len(known):
        return np.full(len(keys), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[place] == keys, first[place], -1)


def _bytes(contents: Contents) -> Iterable[bytes | memoryview]:
    if not isinstance(contents, TokenRows):
        return (text.encode("utf-8", "surrogatepass") for text in contents)
    data = memoryview(contents.ids.astype("<i8", copy=False).tobytes())
    ends = (np.cumsum(contents.lengths) * 8).tolist()
    return (data[start:end] for start, end in zip([0, *ends], ends, strict=False))
