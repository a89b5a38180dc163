"""A text for short runs of the examples: the topics of Python's language reference."""

from functools import cache

from collapse_guard.examples.recursive_finetune.python_documentation import python_topics


@cache
def topics() -> tuple[str, ...]:
    """One document for each."""
    return tuple(text for texts in python_topics().values() for text in texts)
