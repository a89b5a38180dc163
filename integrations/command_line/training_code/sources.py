"""The files of a folder, as far as they are small and few enough to be read."""

import ast
import json
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MOST_FILES = 1_000
"""Files that are read of a folder; the ones nearest to its top."""

MOST_BYTES = 2 << 20
"""Larger files are written by programs, and are not read."""

_OF_OTHERS = frozenset(
    {"__pycache__", "build", "dist", "env", "node_modules", "site-packages", "venv", "wandb"}
)


@dataclass(frozen=True)
class Source:
    """Python code.

    Attributes:
        file: Its name in the folder.
        text: All of it; of a notebook one cell after the other.
        tree: What it says.
        cells: Of a notebook: for each cell of code its number, from 1, and its first line in
            `text`, from 1.
    """

    file: str
    text: str
    tree: ast.Module
    cells: tuple[tuple[int, int], ...] = ()

    def lines(self) -> list[str]:
        """Lines, without their ends, split as Python counts them."""
        return self.text.split("\n")

    def cell_of(self, line: int) -> tuple[int | None, int]:
        """The cell that a line is in, and how many lines come before that cell."""
        found: tuple[int | None, int] = (None, 0)
        for number, first in self.cells:
            if first <= line:
                found = number, first - 1
        return found


@dataclass
class Folder:
    """What was read of a folder.

    Attributes:
        sources: Python files and notebooks.
        settings: Names and texts of YAML files.
        skipped: What was not read and why, a line each.
    """

    sources: list[Source] = field(default_factory=list)
    settings: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def read_folder(folder: Path) -> Folder:
    """Read a folder's code and settings; nothing of it is run or imported."""
    read = Folder()
    for number, path in enumerate(_files(folder)):
        if number == MOST_FILES:
            read.skipped.append(f"all but {MOST_FILES:,} files: look at a folder further down")
            break
        _read_file(read, path, path.relative_to(folder).as_posix())
    return read


def parsed(text: str, mode: str = "exec") -> Any:
    """Code as a tree, quietly.

    Raises:
        SyntaxError: It is none; also where it is nested too deep to be read.
    """
    with warnings.catch_warnings():
        # Of somebody's strange escapes, which are no business of ours.
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text, mode=mode)
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError(str(error)) from error


def _files(folder: Path) -> Iterator[Path]:
    """Level by level, so that what stands at the top is read first; no links are followed."""
    level = [folder]
    while level:
        below: list[Path] = []
        for each in level:
            try:
                entries = sorted(os.scandir(each), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in _OF_OTHERS and not _is_environment(entry.path):
                        below.append(Path(entry.path))
                elif Path(entry.name).suffix in _READERS and entry.is_file():
                    yield Path(entry.path)
        level = below


def _is_environment(path: str) -> bool:
    return os.path.exists(os.path.join(path, "pyvenv.cfg"))


def _read_file(read: Folder, path: Path, name: str) -> None:
    try:
        if path.stat().st_size > MOST_BYTES:
            read.skipped.append(f"{name}: more than {MOST_BYTES >> 20} MiB")
            return
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        read.skipped.append(f"{name}: cannot be read ({type(error).__name__})")
        return
    _READERS[path.suffix](read, name, text.replace("\r\n", "\n").replace("\r", "\n"))


def _read_python(read: Folder, name: str, text: str) -> None:
    try:
        read.sources.append(Source(name, text, parsed(text)))
    except SyntaxError as error:
        read.skipped.append(f"{name}:{error.lineno or 1}: does not parse as Python")


def _read_notebook(read: Folder, name: str, text: str) -> None:
    try:
        cells = [
            (number, "".join(cell["source"]))
            for number, cell in enumerate(json.loads(text)["cells"], start=1)
            if cell["cell_type"] == "code"
        ]
    except (ValueError, KeyError, TypeError, RecursionError):
        read.skipped.append(f"{name}: is no notebook that can be read")
        return
    lines: list[str] = []
    places: list[tuple[int, int]] = []
    for number, cell in cells:
        plain = _without_magic(cell)
        try:
            parsed("\n".join(plain))
        except SyntaxError:
            read.skipped.append(f"{name}: cell {number} does not parse as Python")
            continue
        places.append((number, len(lines) + 1))
        lines.extend(plain)
    joined = "\n".join(lines)
    read.sources.append(Source(name, joined, parsed(joined), tuple(places)))


def _without_magic(cell: str) -> list[str]:
    """A cell's lines, with nothing in place of what is for the notebook or the shell."""
    lines = cell.split("\n")
    if cell.lstrip().startswith("%%") and not cell.lstrip().startswith(("%%time", "%%capture")):
        return ["" for _ in lines]
    return [_quiet(line) for line in lines]


def _quiet(line: str) -> str:
    stripped = line.lstrip()
    return f"{line[: -len(stripped)]}pass" if stripped.startswith(("%", "!", "?")) else line


def _read_settings(read: Folder, name: str, text: str) -> None:
    read.settings.append((name, text))


_READERS: dict[str, Callable[[Folder, str, str], None]] = {
    ".py": _read_python,
    ".ipynb": _read_notebook,
    ".yaml": _read_settings,
    ".yml": _read_settings,
}
