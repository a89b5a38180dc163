"""Rows of a file, one at a time, and how much of it has been read."""

import csv
import gzip
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from collapse_guard.errors import bad_argument
from collapse_guard.extras import require

Row = Mapping[str, Any]
Advance = Callable[[int], object]
"""Told of bytes that were read."""

LINES, PARAGRAPHS = "line", "paragraph"

_BEGINNING = 1 << 20
_LONGEST = 1 << 20
_BATCH = 1024


def text_rows(path: Path, split_at: str | None, advance: Advance) -> Iterator[str]:
    """The paragraphs of a file, or its lines.

    Args:
        path: The file, in UTF-8; compressed where its name ends in ".gz".
        split_at: "line" or "paragraph"; None for paragraphs where an empty line stands in the first
            million bytes.
        advance: Told of bytes that were read.
    """
    with _opened(path, advance) as file:
        lines = io.TextIOWrapper(file, encoding="utf-8", errors="replace")
        beginning = lines.readlines(_BEGINNING)
        if split_at is None:
            has_empty = any(not line.strip() for line in beginning[:-1])
            split_at = PARAGRAPHS if has_empty else LINES
        paragraph: list[str] = []
        size = 0
        for line in _all(beginning, lines):
            is_empty = not line.strip()
            if not is_empty:
                paragraph.append(line)
                size += len(line)
            # A file without a single empty line must not become one text of its size.
            if paragraph and (is_empty or split_at == LINES or size >= _LONGEST):
                yield "".join(paragraph).strip("\r\n")
                paragraph, size = [], 0
        if paragraph:
            yield "".join(paragraph).strip("\r\n")


def json_rows(path: Path, advance: Advance) -> Iterator[Any]:
    """What each line of a file holds, which is JSON.

    Raises:
        ArgumentError: A line is none; says which.
    """
    with _opened(path, advance) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield json.loads(line)
            except ValueError as error:
                raise bad_argument(
                    str(path),
                    expected="JSON in each line",
                    given=f"something else in line {number:,}",
                    hint="a file that is one JSON list becomes lines with `jq -c '.[]'`",
                ) from error


def csv_rows(path: Path, advance: Advance) -> Iterator[Row]:
    """The rows of a file of comma- or tab-separated values, whose first line names the columns."""
    # Longer than any text; a C long on some machines has 32 bits.
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with _opened(path, advance) as file:
        lines = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
        is_tabbed = ".tsv" in path.suffixes
        yield from csv.DictReader(lines, delimiter="\t" if is_tabbed else ",")


def parquet_rows(path: Path, advance: Advance) -> Iterator[Row]:
    """The rows of a Parquet file."""
    parquet = require("pyarrow.parquet", "cli")
    with parquet.ParquetFile(path) as file:
        size, count = os.path.getsize(path), max(file.metadata.num_rows, 1)
        for batch in file.iter_batches(batch_size=_BATCH):
            yield from batch.to_pylist()
            advance(size * batch.num_rows // count)


class _Counted(io.RawIOBase):
    """A file that tells how much of it is read."""

    def __init__(self, file: BinaryIO, advance: Advance) -> None:
        self._file, self._advance = file, advance

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._advance(len(data))
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _opened(path: Path, advance: Advance) -> BinaryIO:
    counted = io.BufferedReader(_Counted(path.open("rb", buffering=0), advance), 1 << 20)
    if path.suffix == ".gz":
        return gzip.GzipFile(fileobj=counted)  # type: ignore[return-value]
    return counted


def _all(beginning: list[str], lines: Iterator[str]) -> Iterator[str]:
    yield from beginning
    yield from lines
