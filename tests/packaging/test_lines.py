"""Callbacks stay translations: what all of them do is in the session."""

import pytest

from tests.packaging.layout import ROOT
from tests.packaging.lines import lines_of_code

COUNTED = '''"""A docstring
of two lines."""

import os
from collections import (
    Counter,
)

# A comment.
x = Counter(
    # and another
    os.name,
)


def f():
    """Says nothing."""
    return """a text
    of two lines"""  # with a comment
'''


def test_lines_that_do_something_are_counted() -> None:
    # `x`, its argument and its bracket; `def`, and the two lines of what is returned.
    assert lines_of_code(COUNTED) == 6


@pytest.mark.parametrize("framework", ["huggingface", "lightning"])
def test_a_callback_is_about_a_hundred_lines_of_translation(framework: str) -> None:
    path = ROOT / "callbacks" / framework / "callback.py"
    assert lines_of_code(path.read_text(encoding="utf-8")) <= 110
