"""Streams of others that are read whole, by each reader for itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

# Hugging Face says itself that its shuffle buffer is lost where a stream is taken up again.
_FORGETFUL = "BufferShuffledExamplesIterable"


def goes_on(stream: Any) -> bool:
    """Whether a stream has a state of its own, from which it goes on."""
    return (
        hasattr(stream, "state_dict")
        and hasattr(stream, "load_state_dict")
        and not _shuffles_with_a_buffer(getattr(stream, "_ex_iterable", None))
    )


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


def _shuffles_with_a_buffer(rows: Any) -> bool:
    if rows is None:
        return False
    inner = [getattr(rows, "ex_iterable", None), *getattr(rows, "ex_iterables", ())]
    return type(rows).__name__ == _FORGETFUL or any(map(_shuffles_with_a_buffer, inner))
