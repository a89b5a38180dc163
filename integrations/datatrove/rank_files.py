"""One JSON file for each task of a pipeline, read together when all are done."""

import json
import os
from collections.abc import Iterator
from typing import Any

from collapse_guard.arguments import understood
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.statistics.json_forms import Part

_FORMAT = 1
_LONGEST_PATH = 4096
_AGAIN = "run the pipeline until all of its tasks are done, and read what it wrote then"


def open_folder(argument: str, folder: Any) -> Any:
    """What datatrove takes for a folder, opened.

    Args:
        argument: What it is called, for errors.
        folder: A path or URL, or a `datatrove.io.DataFolder`.

    Raises:
        ArgumentError: It is no folder.
        MissingExtraError: datatrove is not installed.
    """
    opening = require("datatrove.io", "datatrove").get_datafolder
    expected = "a path or URL of a folder, as datatrove takes it"
    path = os.fspath(folder) if isinstance(folder, os.PathLike) else folder
    wanted = {"expected": expected, "hint": "give such as 'runs/stats'"}
    with understood(argument, folder, **wanted):
        # It would be told only where a task writes.
        if isinstance(path, str) and _cannot_be(path):
            raise bad_argument(argument, given=folder, **wanted)
        return opening(path)


def _cannot_be(path: str) -> bool:
    """Whether no file system takes it, or a file that is no folder is there."""
    return "\0" in path or len(path.encode()) > _LONGEST_PATH or os.path.isfile(path)


def write_rank_file(folder: Any, rank: int, world_size: int, said: dict[str, Any]) -> None:
    """Write what one task found, whole or not at all; a task that runs again replaces it.

    Args:
        folder: A `datatrove.io.DataFolder`.
        rank: Number of the task, from 0.
        world_size: Number of tasks.
        said: Of plain JSON types.
    """
    name, unfinished = f"{rank:05d}.json", f".{rank:05d}.json"
    told = {"format": _FORMAT, "rank": rank, "world_size": world_size, "said": said}
    with folder.open(unfinished, "wt") as file:
        json.dump(told, file)
    folder.mv(unfinished, name)


def rank_files(folder: Any) -> Iterator[Part]:
    """What the tasks of a pipeline found, in the order of their numbers.

    Args:
        folder: What datatrove takes for a folder.

    Raises:
        ArgumentError: There is none, one is missing or broken, or they are of several pipelines.
        MissingExtraError: datatrove is not installed.
    """
    opened = open_folder("folder", folder)
    names = opened.glob("[0-9]*.json")
    if not names:
        raise bad_argument(
            "folder", expected="a folder with a file of each task", given=str(folder), hint=_AGAIN
        )
    wanted = len(names)
    for rank, name in enumerate(sorted(names)):
        with opened.open(name, "rt") as file:
            try:
                told = json.load(file)
            except (ValueError, RecursionError):
                told = None
        parts = Part(name, told, _AGAIN).keys("format", "rank", "world_size", "said")
        parts["format"].check(parts["format"].whole() == _FORMAT, f"format {_FORMAT}")
        parts["world_size"].check(parts["world_size"].whole() == wanted, f"{wanted}, as files")
        parts["rank"].check(parts["rank"].whole() == rank, f"task {rank}, which is missing")
        yield parts["said"]
