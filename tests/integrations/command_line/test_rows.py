import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.integrations.command_line.rows import (
    csv_rows,
    json_rows,
    parquet_rows,
    text_rows,
)


def nobody(count: int) -> None:
    """Told of what was read."""


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "split_at", "rows"),
    [
        ("a\nb\n\nc\n", None, ["a\nb", "c"]),
        ("a\nb\nc", None, ["a", "b", "c"]),
        ("a\nb\n\nc\n", "line", ["a", "b", "c"]),
        ("a\nb\nc\n", "paragraph", ["a\nb\nc"]),
        # An empty last line parts nothing.
        ("a\nb\n \n", None, ["a", "b"]),
        ("", None, []),
        (" a \r\n\r\nb", None, [" a ", "b"]),
    ],
)
def test_texts_are_split(tmp_path: Path, text: str, split_at: str | None, rows: list[str]) -> None:
    assert list(text_rows(written(tmp_path / "a.txt", text), split_at, nobody)) == rows


def test_a_file_without_an_empty_line_does_not_become_one_text(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", f"{'word ' * 20}\n" * 30_000)
    rows = list(text_rows(path, "paragraph", nobody))
    assert len(rows) == 3
    assert max(map(len, rows)) < 1.1 * 2**20


def test_bytes_that_are_no_text_do_not_end_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"caf\xe9\nna\xc3\xafve\n")
    assert list(text_rows(path, None, nobody)) == ["caf\ufffd", "naïve"]


def test_json_lines_are_read_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", '{"text": "a"}\n\n"b"\n')
    assert list(json_rows(path, nobody)) == [{"text": "a"}, "b"]
    path = written(tmp_path / "b.jsonl", '{"text": "a"}\n{"text": \n')
    with pytest.raises(ArgumentError, match=r"b\.jsonl.*line 2"):
        list(json_rows(path, nobody))


@pytest.mark.parametrize(("ending", "between"), [(".csv", ","), (".tsv", "\t")])
def test_separated_values_are_read(tmp_path: Path, ending: str, between: str) -> None:
    long = "x" * 200_000
    path = written(
        tmp_path / f"a{ending}", f'n{between}text\n1{between}"a\n{between}b"\n2{between}{long}\n'
    )
    assert [row["text"] for row in csv_rows(path, nobody)] == [f"a\n{between}b", long]


def test_parquet_is_read(tmp_path: Path) -> None:
    table = pa.table({"text": [f"text {n}" for n in range(3_000)]})
    pq.write_table(table, tmp_path / "a.parquet")
    read: list[int] = []
    rows = list(parquet_rows(tmp_path / "a.parquet", read.append))
    assert [row["text"] for row in rows] == table["text"].to_pylist()
    assert len(read) > 1


def test_compressed_files_are_read_and_what_was_read_is_told(tmp_path: Path) -> None:
    lines = "".join(json.dumps({"text": f"text {n}"}) + "\n" for n in range(5_000))
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(lines.encode()))
    read: list[int] = []
    assert len(list(json_rows(path, read.append))) == 5_000
    assert sum(read) == path.stat().st_size
    plain = written(tmp_path / "a.txt", lines)
    read.clear()
    assert len(list(text_rows(plain, None, read.append))) == 5_000
    assert sum(read) == plain.stat().st_size
