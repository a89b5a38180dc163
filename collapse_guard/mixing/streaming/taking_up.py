"""Whether a stream can be taken up in the middle, without reading it again from the start."""

from typing import Any

# Hugging Face says itself that its shuffle buffer is lost where a stream is taken up again.
_FORGETFUL = "BufferShuffledExamplesIterable"


def can_be_taken_up(stream: Any) -> bool:
    """Whether what its `state_dict` says is all that it takes to go on at the next row."""
    has_state = hasattr(stream, "state_dict") and hasattr(stream, "load_state_dict")
    return has_state and _FORGETFUL not in steps_of(stream)


def steps_of(stream: Any) -> set[str]:
    """The names of the steps that a Hugging Face stream is made of; none of another stream."""
    steps, names = [getattr(stream, "_ex_iterable", None)], set[str]()
    while steps:
        step = steps.pop()
        if step is not None:
            names.add(type(step).__name__)
            steps += [getattr(step, "ex_iterable", None), *getattr(step, "ex_iterables", ())]
    return names
