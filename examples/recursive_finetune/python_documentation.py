"""Human text that every Python carries: its language reference and its docstrings.

Real prose, written by many people, no download and no licence question. Sources are parsed, never
imported, so reading them runs none of their code.
"""

import ast
import re
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from itertools import chain
from pathlib import Path

from collapse_guard.errors import CollapseGuardError

SHORTEST_PARAGRAPH = 40
LETTERS = 0.80
"""Characters of a paragraph, and the share of letters and spaces that makes it prose."""

_NOT_DOCUMENTATION = frozenset(
    {
        # Not the same everywhere: what `pip` installed, and tests, which Debian leaves out.
        *("site-packages", "dist-packages", "test", "tests", "idle_test"),
        # Read by itself.
        "pydoc_data",
        # A hundred files that a program wrote, all with the same few words.
        "encodings",
    }
)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

_Texts = tuple[str, list[str]]
"""A group, and texts that belong to it."""


def python_documents() -> dict[str, list[str]]:
    """The documentation of the running Python.

    Returns:
        Documents by group: a topic of the language reference is a group with one document, a
        top-level module or package of the standard library is a group with a document for each of
        its files. No paragraph occurs twice. Sorted, hence the same on every call.

    Raises:
        CollapseGuardError: This Python has no standard library in source.
    """
    library = Path(sysconfig.get_paths()["stdlib"])
    sources = [path.relative_to(library) for path in library.rglob("*.py")]
    sources = sorted(path for path in sources if _NOT_DOCUMENTATION.isdisjoint(path.parts))
    if not sources:
        raise CollapseGuardError(
            f"this Python has no source files in {library}, so there are no docstrings to read: "
            f"use an ordinary Python, or give a text with --dataset."
        )
    modules = (
        (path.parts[0].removesuffix(".py"), [*_docstrings(library / path)]) for path in sources
    )
    return _grouped(chain(_topics(), modules))


def python_topics() -> dict[str, list[str]]:
    """The first of them, the language reference, for which no source is parsed."""
    return _grouped(_topics())


def _topics() -> Iterator[_Texts]:
    topics: Mapping[str, str] = import_module("pydoc_data.topics").topics
    return ((f"topic {name}", [text]) for name, text in sorted(topics.items()))


def _grouped(texts: Iterable[_Texts]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    seen: set[str] = set()
    for group, parts in texts:
        paragraphs = [p for p in dict.fromkeys(_prose("\n\n".join(parts))) if p not in seen]
        seen.update(paragraphs)
        if paragraphs:
            groups.setdefault(group, []).append("\n".join(paragraphs))
    return groups


def _docstrings(source: Path) -> Iterator[str]:
    try:
        tree = ast.parse(source.read_bytes())
    except (SyntaxError, ValueError):
        # The library ships a few files that are broken on purpose.
        return
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and (docstring := ast.get_docstring(node)):
            yield docstring


def _prose(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text):
        if ">>>" in paragraph or "::=" in paragraph:
            continue
        line = " ".join(paragraph.split())
        letters = sum(character.isalpha() or character == " " for character in line)
        if len(line) >= SHORTEST_PARAGRAPH and letters > LETTERS * len(line):
            yield line
