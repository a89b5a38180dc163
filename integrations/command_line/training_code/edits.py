"""What is found in a file, and the lines to put into it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Edit:
    """Lines of a file that others take the place of.

    Attributes:
        first: The first of them, from 1.
        last: The last of them; `first - 1` where there are none, and lines are only put in.
        lines: What is written there.
        follows: Whether lines that are put in belong to the line before them.
        new_file: A file that is not there yet, which they are all of; None for the one at hand.
    """

    first: int
    last: int
    lines: tuple[str, ...]
    follows: bool = False
    new_file: str | None = None

    @property
    def where(self) -> str:
        """In words, with a line that is there already."""
        if self.new_file is not None:
            return f"in a new file {self.new_file}"
        if self.last > self.first:
            return f"instead of lines {self.first} to {self.last}"
        if self.last == self.first:
            return f"instead of line {self.first}"
        return f"after line {self.first - 1}" if self.follows else f"before line {self.first}"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "where": self.where,
            "first": self.first,
            "last": self.last,
            "lines": list(self.lines),
            "new_file": self.new_file,
        }


def before(line: int, lines: tuple[str, ...]) -> Edit:
    """Lines that are put in before one."""
    return Edit(line, line - 1, lines)


def after(line: int, lines: tuple[str, ...]) -> Edit:
    """Lines that are put in after one."""
    return Edit(line + 1, line, lines, follows=True)


def together(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """Edits from the top down, with those at one place in one: apart, their order would be lost."""
    joined: list[Edit] = []
    for edit in edits:
        last = joined[-1] if joined else None
        if last is not None and max(last.first, last.last + 1) == edit.first > edit.last:
            joined[-1] = replace(last, lines=last.lines + edit.lines)
        else:
            joined.append(edit)
    return tuple(joined)


@dataclass(frozen=True)
class Found:
    """Something that trains.

    Attributes:
        file: Its name in the folder.
        line: Where it is, from 1.
        what: What it is, and what stands there.
        edits: What to do to have it watched, from the top of the file to its end.
        notes: What else there is to know, a line each; where held-out text comes from is one.
        cell: Of a notebook, the cell that lines are counted in, from 1.
    """

    file: str
    line: int
    what: str
    edits: tuple[Edit, ...]
    notes: tuple[str, ...]
    cell: int | None = None

    @property
    def place(self) -> str:
        """File, cell and line, as editors and people read it."""
        cell = "" if self.cell is None else f":cell {self.cell}"
        return f"{self.file}{cell}:{self.line}"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "file": self.file,
            "cell": self.cell,
            "line": self.line,
            "what": self.what,
            "edits": [edit.to_dict() for edit in self.edits],
            "notes": list(self.notes),
        }
