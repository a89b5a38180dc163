"""The steps that a Hugging Face stream is made of."""

from collections.abc import Iterator
from typing import Any

_MOST = 1000
"""Steps, beyond which there is no end."""


def steps_of(stream: Any) -> Iterator[Any]:
    """Each step of a Hugging Face stream once, from what is shown of them; none of another stream.

    Nothing is read.
    """
    seen: set[int] = set()
    left = [getattr(stream, "_ex_iterable", None)]
    while left and len(seen) < _MOST:
        step = left.pop()
        if step is None or id(step) in seen:
            continue
        seen.add(id(step))
        yield step
        inside = getattr(step, "ex_iterables", None)
        left.append(getattr(step, "ex_iterable", None))
        left += inside if isinstance(inside, list | tuple) else ()


def names_of_steps(stream: Any) -> set[str]:
    """The names of the steps of a stream: those of their classes."""
    return {type(step).__name__ for step in steps_of(stream)}
