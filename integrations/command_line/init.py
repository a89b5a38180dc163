"""What trains in a folder, and the lines that have it watched."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from collapse_guard.errors import bad_argument
from collapse_guard.integrations.command_line.training_code.bindings import Names
from collapse_guard.integrations.command_line.training_code.configs import found_config
from collapse_guard.integrations.command_line.training_code.edits import Edit, Found
from collapse_guard.integrations.command_line.training_code.kinds import Kinds
from collapse_guard.integrations.command_line.training_code.loops import found_loops
from collapse_guard.integrations.command_line.training_code.sources import (
    Folder,
    Source,
    read_folder,
)
from collapse_guard.integrations.command_line.training_code.trainers import found_trainers

LOOKED_FOR = (
    "trainers of Hugging Face, TRL and Lightning that train, loops with `.backward()` and "
    "`optimizer.step()`, settings of Axolotl, LLaMA-Factory and Lightning's CLI"
)

_WATCHES = frozenset(
    {
        "CollapseGuard",
        "CollapseGuardCallback",
        "CollapseMonitor",
        "WatchHeldOut",
        "WatchSession",
        "watch",
        "watching_trainers",
    }
)


@dataclass(frozen=True)
class Looked:
    """What a look at a folder has found.

    Attributes:
        found: What trains and is not watched.
        already: What uses this package already, a line each.
        skipped: What was not read and why, a line each.
        files: How many files were read.
    """

    found: tuple[Found, ...]
    already: tuple[str, ...]
    skipped: tuple[str, ...]
    files: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "found": [each.to_dict() for each in self.found],
            "already": list(self.already),
            "skipped": list(self.skipped),
            "files": self.files,
        }


def looked_at(folder: Path) -> Looked:
    """Read a folder's Python files, notebooks and YAML files; nothing is run, imported or changed.

    Raises:
        ArgumentError: There is no such folder.
    """
    if not folder.is_dir():
        raise bad_argument(
            "FOLDER",
            expected="a folder",
            given=str(folder),
            hint="give the one with the script, or the settings, that train",
        )
    read = read_folder(folder)
    found: list[Found] = []
    already: list[str] = []
    named = [(source, Names(source.tree)) for source in read.sources]
    kinds = Kinds([names for _, names in named])
    for source, names in named:
        own = list(_ours(source, names))
        already.extend(told for _, told in own)
        if not any(name in _WATCHES for name, _ in own):
            in_file = [*found_trainers(source, names, kinds), *found_loops(source, names)]
            found.extend(_in_cells(source, each) for each in in_file)
    for config in _configs(read):
        if isinstance(config, Found):
            found.append(config)
        else:
            already.append(config)
    files = len(read.sources) + len(read.settings)
    order = sorted(found, key=lambda each: (each.file.count("/"), each.file, each.cell or 0))
    return Looked(tuple(order), tuple(already), tuple(read.skipped), files)


def _ours(source: Source, names: Names) -> Iterator[tuple[str, str]]:
    """Names of this package that a file imports, and that in words."""
    for node in ast.walk(names.tree):
        if isinstance(node, ast.Import):
            imported = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported = [f"{node.module}.{each.name}" for each in node.names]
        else:
            continue
        cell, before = source.cell_of(node.lineno)
        place = Found(source.file, node.lineno - before, "", (), (), cell).place
        for name in imported:
            if name.partition(".")[0] == "collapse_guard":
                yield name.rpartition(".")[2], f"{place} imports {name}"


def _in_cells(source: Source, found: Found) -> Found:
    """Lines of a notebook as they are counted in its cells."""
    if not source.cells:
        return found
    cell, before = source.cell_of(found.line)
    edits = []
    for edit in found.edits:
        other, first = source.cell_of(edit.first - edit.follows)
        if other != cell:
            told = f"in cell {other}, {_counted_from(edit, first).where}: {'; '.join(edit.lines)}"
            return replace(
                found, cell=cell, line=found.line - before, edits=(), notes=(told, *found.notes)
            )
        edits.append(_counted_from(edit, first))
    return replace(found, cell=cell, line=found.line - before, edits=tuple(edits))


def _counted_from(edit: Edit, before: int) -> Edit:
    return replace(edit, first=edit.first - before, last=edit.last - before)


def _configs(read: Folder) -> Iterator[Found | str]:
    for file, text in read.settings:
        try:
            found = found_config(file, text)
        except ImportError:
            read.skipped.append("YAML files: `pip install pyyaml` to have them read")
            return
        except ValueError as error:
            read.skipped.append(f"{file}: {error}")
            continue
        if found is not None and "collapse_guard" in text:
            line = text[: text.index("collapse_guard")].count("\n") + 1
            yield f"{file}:{line} names collapse_guard ({found.what})"
        elif found is not None:
            yield found
