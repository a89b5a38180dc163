"""Whether a stream can be taken up in the middle, without reading it again from the start."""

from typing import Any

from collapse_guard.rows.stream_steps import names_of_steps

# Hugging Face says itself that its shuffle buffer is lost where a stream is taken up again.
_FORGETFUL = "BufferShuffledExamplesIterable"


def can_be_taken_up(stream: Any) -> bool:
    """Whether what its `state_dict` says is all that it takes to go on at the next row."""
    has_state = hasattr(stream, "state_dict") and hasattr(stream, "load_state_dict")
    return has_state and _FORGETFUL not in names_of_steps(stream)
