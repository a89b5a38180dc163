"""What tells whether a row is the one that it was, in another process or at another time."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

_DEEPEST = 20
"""Values in one another, beyond which nothing is looked at."""


def row_digest(row: Any) -> str:
    """16 hexadecimal digits of what a row holds: the same in every process.

    Of objects that are no plain data only the class counts, as whether two are alike cannot be
    known.

    Example:
        >>> row_digest({"n": 1, "text": "a"}) == row_digest({"text": "a", "n": 1})
        True
        >>> row_digest({"n": 1}) == row_digest({"n": 2})
        False
    """
    told = hashlib.sha256()
    for part in _parts(row, _DEEPEST):
        told.update(len(part).to_bytes(8, "little"))
        told.update(part)
    return told.hexdigest()[:16]


def _parts(value: Any, depth: int) -> Iterator[bytes]:
    kind = type(value)
    yield kind.__name__.encode()
    if not depth:
        return
    if value is None or isinstance(value, bool | int | float | str):
        yield repr(value).encode("utf-8", "backslashreplace")
    elif isinstance(value, bytes):
        yield value
    elif isinstance(value, Mapping):
        for name in sorted(value, key=repr):
            yield repr(name).encode("utf-8", "backslashreplace")
            yield from _parts(value[name], depth - 1)
    elif isinstance(value, list | tuple):
        yield str(len(value)).encode()
        for each in value:
            yield from _parts(each, depth - 1)
    elif isinstance(value, torch.Tensor):
        if value.layout == torch.strided and value.device.type == "cpu":
            yield from _parts(value.detach().tolist(), depth - 1)
    elif isinstance(value, np.ndarray | np.generic):
        yield from _parts(value.tolist(), depth - 1)
    elif hasattr(value, "to_pydict"):
        # A table of Arrow's.
        yield from _parts(value.to_pydict(), depth - 1)
