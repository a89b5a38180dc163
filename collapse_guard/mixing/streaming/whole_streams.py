"""Streams of others that are read whole, by each reader for itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def as_one_reader() -> Iterator[None]:
    """Hide the loader's workers from a stream that would share its rows out among them.

    Hugging Face's streams, and those written after torch's manual, give each worker a part of their
    rows. Here the slots are what is dealt out: every worker must see the same stream.
    """
    module = torch.utils.data._utils.worker
    hidden, module._worker_info = module._worker_info, None
    try:
        yield
    finally:
        module._worker_info = hidden


def twin_of(stream: Any) -> Any:
    """A stream that is read by itself, and goes on by itself, over the same rows."""
    # Not `copy`, which Hugging Face's streams answer with one that shares all attributes.
    twin: Any = object.__new__(type(stream))
    vars(twin).update(vars(stream))
    return twin
