"""Scripts as people write them, and lines put into them as they are printed."""

import json
from pathlib import Path
from textwrap import dedent

from collapse_guard.integrations.command_line.init import Looked, looked_at
from collapse_guard.integrations.command_line.training_code.edits import Edit, Found


def looked(folder: Path, **files: str) -> Looked:
    """Look at a folder of files, whose names end as their last word says."""
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_text(dedent(text))
    return looked_at(folder)


def found_in(folder: Path, text: str, **files: str) -> list[Found]:
    """What is found in one script, and files beside it."""
    return list(looked(folder, train_py=text, **files).found)


def changed(text: str, edits: tuple[Edit, ...]) -> str:
    """A text with edits made in it, from its end to its top."""
    lines = dedent(text).split("\n")
    for edit in sorted(edits, key=lambda each: each.first, reverse=True):
        lines[edit.first - 1 : edit.last] = edit.lines
    return "\n".join(lines)


def added(text: str, edits: tuple[Edit, ...]) -> list[str]:
    """Lines of a changed text that call what watches, and their neighbours after them."""
    lines = changed(text, edits).split("\n")
    return [
        f"{one.strip()} | {two.strip()}"
        for one, two in zip(lines, [*lines[1:], ""], strict=True)
        if "watch(" in one
    ]


def notebook(*cells: str) -> str:
    """A notebook of cells of code, with one of text before each."""
    both = [
        cell
        for code in cells
        for cell in (
            {"cell_type": "markdown", "source": ["# a title"]},
            {"cell_type": "code", "source": dedent(code).splitlines(keepends=True)},
        )
    ]
    return json.dumps({"cells": both, "nbformat": 4})
