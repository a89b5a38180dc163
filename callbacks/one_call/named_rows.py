"""Rows by what somebody writes into a settings file: a file, a folder, or a hub's name."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from collapse_guard.errors import bad_argument
from collapse_guard.extras import require

_LINES = (".jsonl", ".ndjson")
_TEXTS = (".md", ".text", ".txt")
_TABLES = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
_EXPECTED = "a file of JSON lines, JSON, text, CSV or Parquet, a saved data set, or a hub's name"


def rows_named(argument: str, name: str, split: str) -> Any:
    """Rows that `watch` reads: texts, or rows with a column of texts, chats or token ids.

    Args:
        argument: What it is called, for errors.
        name: A file, by the ending of its name: JSON lines (`.jsonl`), a JSON list (`.json`), text
            (`.txt`; a text each paragraph, or each line where there are no paragraphs), CSV, TSV or
            Parquet; a folder of `Dataset.save_to_disk`; or the name of a data set on the hub.
        split: Of a data set that has several.

    Raises:
        ArgumentError: There is nothing of that name, or nothing of the kind in it.
    """
    if not isinstance(name, str) or not name:
        raise bad_argument(argument, expected=_EXPECTED, given=name, hint="write its path")
    path = Path(name)
    try:
        if path.is_file():
            return _of_file(argument, path)
        if path.is_dir():
            return _part(argument, require("datasets", "huggingface").load_from_disk(name), split)
    except (OSError, UnicodeDecodeError) as error:
        raise bad_argument(
            argument, expected=_EXPECTED, given=name, hint=f"it cannot be read: {error}"
        ) from error
    if path.suffix in (*_LINES, *_TEXTS, *_TABLES, ".json") or path.is_absolute():
        raise bad_argument(
            argument, expected=_EXPECTED, given=name, hint="look at the path: there is nothing"
        )
    try:
        return require("datasets", "huggingface").load_dataset(name, split=split)
    except Exception as error:
        told = (str(error).strip().splitlines() or [""])[0][:160]
        raise bad_argument(
            argument,
            expected=_EXPECTED,
            given=name,
            hint=f"there is no such path, and the hub gave none: {type(error).__name__}: {told}",
        ) from error


def _of_file(argument: str, path: Path) -> Any:
    suffix = path.suffix.lower()
    if suffix in _TABLES:
        options = {"delimiter": "\t"} if suffix == ".tsv" else {}
        load = require("datasets", "huggingface").load_dataset
        return load(_TABLES[suffix], data_files=str(path), split="train", **options)
    if suffix not in (*_LINES, *_TEXTS, ".json", ""):
        raise bad_argument(
            argument, expected=_EXPECTED, given=str(path), hint="give the file its ending"
        )
    text = path.read_text(encoding="utf-8-sig")
    if suffix in (*_TEXTS, ""):
        return _texts(text)
    try:
        if suffix == ".json":
            return _a_list(json.loads(text))
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise bad_argument(
            argument,
            expected="JSON, a row each line" if suffix in _LINES else "a JSON list of rows",
            given=str(path),
            hint=f"mend it: {error}",
        ) from error


def _texts(text: str) -> Sequence[str]:
    paragraphs = [each.strip() for each in re.split(r"\n\s*\n", text) if each.strip()]
    if len(paragraphs) > 1:
        return paragraphs
    return [line.strip() for line in text.splitlines() if line.strip()]


def _a_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"it holds a {type(value).__name__}")
    return value


def _part(argument: str, loaded: Any, split: str) -> Any:
    if not isinstance(loaded, Mapping):
        return loaded
    if split not in loaded:
        raise bad_argument(
            "split",
            expected=f"one of {', '.join(map(str, loaded))}",
            given=split,
            hint=f"name the part that is meant by {argument}",
        )
    return loaded[split]
