"""A text for short runs of the examples: the topics of Python's language reference."""

from functools import cache

from collapse_guard.examples.recursive_finetune.python_documentation import python_documents


@cache
def topics() -> tuple[str, ...]:
    """One document for each; the whole library is parsed for them, once in a process."""
    documents = python_documents().items()
    return tuple(text for name, texts in documents if "topic" in name for text in texts)
