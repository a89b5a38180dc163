"""Texts by name: a file, a folder, a saved data set, or one of the hub."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.integrations.command_line.rows import (
    Advance,
    csv_rows,
    json_rows,
    parquet_rows,
    text_rows,
)

GUESSES = (
    "text",
    "content",
    "completion",
    "response",
    "output",
    "answer",
    "messages",
    "conversations",
)
"""Columns that are taken, the first of them that there is."""

Reader = Callable[[Path, Advance], Iterator[Any]]
"""From a file to what its rows hold."""

_READERS: Mapping[str, Reader] = {
    ".jsonl": json_rows,
    ".ndjson": json_rows,
    ".json": json_rows,
    ".csv": csv_rows,
    ".tsv": csv_rows,
    ".parquet": parquet_rows,
}
_TEXTS = (".txt", ".text", ".md", ".raw", ".tokens", "")


@dataclass(frozen=True)
class Texts:
    """Texts that are read as they are gone through.

    Attributes:
        name: What was named.
        size: Bytes to read; None where nobody knows.
        read: Goes through them, and tells of bytes that were read.
    """

    name: str
    size: int | None
    read: Callable[[Advance], Iterator[str]]


def open_texts(
    argument: str,
    name: str,
    *,
    column: str | None = None,
    split: str = "train",
    split_at: str | None = None,
) -> Texts:
    """Find texts by what somebody wrote on a command line.

    Args:
        argument: What it is called, for errors.
        name: A text file, JSON lines, CSV, TSV or Parquet, each of the first three maybe with
            ".gz"; a folder of those; a folder of `Dataset.save_to_disk`; or the name of a data set
            on the hub.
        column: With the texts; the first of `GUESSES` where left out. Of conversations, what
            assistants say in them.
        split: Of a data set that has several.
        split_at: Of text files: "line" or "paragraph"; as the file looks where left out.

    Raises:
        ArgumentError: There is nothing of that name, or nothing that is known in it; while it is
            gone through, a row without a text.
    """
    path = Path(name)
    if path.is_dir() and _is_saved(path):
        return _saved(argument, path, column, split)
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.is_file() and each.suffix)
    elif path.is_file():
        files = [path]
    elif name.count("/") <= 1 and not name.startswith(("/", ".", "~")) and not path.suffix:
        return _of_hub(argument, name, column, split)
    else:
        raise bad_argument(
            argument,
            expected="a file, a folder, or the name of a data set on the hub",
            given=name,
            hint="look at the path: there is nothing",
        )
    readers = {file: _reader(file, split_at) for file in files}
    known = {file: reader for file, reader in readers.items() if reader is not None}
    if not known:
        raise bad_argument(
            argument,
            expected=f"text, or {', '.join(sorted(_READERS))}, by the ending of the file's name",
            given=name,
            hint="give the file its ending, or save the data set as one of these",
        )

    def read(advance: Advance) -> Iterator[str]:
        for file, reader in known.items():
            yield from _texts(argument, reader(file, advance), column)

    return Texts(name, sum(file.stat().st_size for file in known), read)


def _reader(path: Path, split_at: str | None) -> Reader | None:
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix.lower() in _READERS:
        return _READERS[suffix.lower()]
    if suffix.lower() in _TEXTS:
        return lambda file, advance: text_rows(file, split_at, advance)
    return None


def _is_saved(path: Path) -> bool:
    return any((path / name).is_file() for name in ("dataset_info.json", "dataset_dict.json"))


def _saved(argument: str, path: Path, column: str | None, split: str) -> Texts:
    loaded = require("datasets", "huggingface").load_from_disk(str(path))
    if isinstance(loaded, Mapping):
        if split not in loaded:
            raise bad_argument(
                "--split",
                expected=f"one of {', '.join(map(str, loaded))}",
                given=split,
                hint=f"name the part of {path} that holds the texts",
            )
        loaded = loaded[split]

    def read(advance: Advance) -> Iterator[str]:
        return _texts(argument, _told(loaded, advance), column)

    return Texts(str(path), len(loaded), read)


def _of_hub(argument: str, name: str, column: str | None, split: str) -> Texts:
    load = require("datasets", "huggingface").load_dataset
    try:
        loaded = load(name, split=split, streaming=True)
    except Exception as error:
        raise bad_argument(
            argument,
            expected="a file, a folder, or the name of a data set on the hub",
            given=name,
            hint=f"there is no such path, and the hub gave none: {_first_line(error)}",
        ) from error
    return Texts(name, None, lambda advance: _texts(argument, _told(loaded, advance), column))


def _told(rows: Iterable[Any], advance: Advance) -> Iterator[Any]:
    for row in rows:
        advance(1)
        yield row


def _texts(argument: str, rows: Iterator[Any], column: str | None) -> Iterator[str]:
    first = next(rows, None)
    if first is None:
        return
    chosen = _column(argument, first, column)
    for number, row in enumerate(chain([first], rows), start=1):
        yield _text(argument, row, chosen, number)


def _column(argument: str, row: Any, column: str | None) -> str | None:
    """The column with the texts; None where rows are texts themselves."""
    if isinstance(row, str):
        return None
    columns = list(row) if isinstance(row, Mapping) else []
    for guess in GUESSES if column is None else (column,):
        if guess in columns:
            return guess
    raise bad_argument(
        "--column",
        expected=f"one of the columns of {argument}: {', '.join(map(str, columns)) or 'none'}",
        given=column,
        hint="name the one that holds the texts",
    )


def _text(argument: str, row: Any, column: str | None, number: int) -> str:
    value = row if column is None else row.get(column) if isinstance(row, Mapping) else row
    if isinstance(value, str) or value is None:
        return value or ""
    if isinstance(value, list) and all(isinstance(turn, Mapping) for turn in value):
        return "\n\n".join(_said(value))
    raise bad_argument(
        "--column",
        expected=f"texts or conversations in column {column!r} of {argument}",
        given=f"{type(value).__name__} in row {number:,}",
        hint="name another column; token ids are compared by collapse_guard.audit.audit_rows",
    )


def _said(turns: list[Mapping[str, Any]]) -> Iterator[str]:
    """What assistants say in a conversation; all of it where nobody is called so."""
    said = [
        (str(turn.get("role", turn.get("from", ""))), str(turn.get("content", turn.get("value"))))
        for turn in turns
    ]
    assistants = [text for role, text in said if role in ("assistant", "gpt", "model")]
    return iter(assistants or [text for _, text in said])


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:160] if lines else ''}"
