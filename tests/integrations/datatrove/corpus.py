"""Folders of JSON lines, and pipelines of datatrove over them."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader


def saved(folder: Path, texts: Sequence[str], files: int) -> Path:
    """Texts in so many files of about one size."""
    folder.mkdir()
    for number in range(files):
        start, stop = (len(texts) * border // files for border in (number, number + 1))
        lines = (json.dumps({"text": text}) + "\n" for text in texts[start:stop])
        (folder / f"{number:03d}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def read(folder: Path) -> Iterator[str]:
    """The texts of a folder on one machine, files in the order of their names."""
    for file in sorted(folder.iterdir()):
        for line in file.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)["text"]


def run(folder: Path, steps: list[Any], logs: Path, *, tasks: int, workers: int = 1) -> None:
    """A pipeline over a folder, whose tasks that are done already are left out."""
    reader = JsonlReader(str(folder))
    LocalPipelineExecutor(
        [reader, *steps], tasks=tasks, workers=workers, logging_dir=str(logs)
    ).run()
