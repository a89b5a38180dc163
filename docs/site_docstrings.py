"""Reads docstrings as the site's generator has them: their examples as code."""

import re
from typing import Any

from griffe import Extension, Object

_TITLE = re.compile(r"^( *)Example:$", re.MULTILINE)
_CODE_FOLLOWS = re.compile(r"^( *)(.*)::$", re.MULTILINE)


class Examples(Extension):
    """Makes a section of examples of what would be a box of text."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of a module, a class or a function."""
        if obj.docstring is not None:
            obj.docstring.value = as_examples(obj.docstring.value)


def as_examples(docstring: str) -> str:
    """A docstring whose examples have the title that is known, and code as Markdown has it.

    A line that ends with two colons has a block of code after it; alone it says nothing.
    """
    titled = _TITLE.sub(r"\1Examples:", docstring)
    return _CODE_FOLLOWS.sub(lambda found: f"{found[1]}{found[2]}{':' * bool(found[2])}", titled)
