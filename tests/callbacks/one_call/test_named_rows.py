import json
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict

from collapse_guard.callbacks.one_call.named_rows import rows_named
from collapse_guard.errors import ArgumentError

ROWS = [{"text": "one two", "of": "a"}, {"text": "three", "of": "b"}]
TEXTS = ["one two", "three"]

FILES = {
    "rows.jsonl": "\n".join(map(json.dumps, ROWS)) + "\n\n",
    "rows.json": json.dumps(ROWS),
    "rows.csv": "text,of\none two,a\nthree,b\n",
    "rows.tsv": "text\tof\none two\ta\nthree\tb\n",
    "lines.txt": "one two\n\nthree" * 0 + "one two\nthree\n",
    "paragraphs.md": "\n\none two\n \nthree\n\n",
    "texts": "one two\nthree",
}


@pytest.mark.parametrize(("name", "text"), FILES.items())
def test_a_file_is_read_by_its_ending(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    rows = list(rows_named("held_out", str(tmp_path / name), "test"))
    assert rows == (ROWS if name.startswith("rows") else TEXTS)


def test_saved_data_sets_are_read(tmp_path: Path) -> None:
    data = Dataset.from_list(ROWS)
    data.to_parquet(str(tmp_path / "rows.parquet"))
    data.save_to_disk(str(tmp_path / "one"))
    DatasetDict({"test": data, "train": data.select([0])}).save_to_disk(str(tmp_path / "parts"))
    for name in ("rows.parquet", "one", "parts"):
        assert list(rows_named("held_out", str(tmp_path / name), "test")) == ROWS
    assert len(rows_named("human", str(tmp_path / "parts"), "train")) == 1
    with pytest.raises(ArgumentError, match="`split` expected one of test, train, but got 'dev'"):
        rows_named("human", str(tmp_path / "parts"), "dev")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("rows.jsonl", "{", "JSON, a row each line"),
        ("rows.json", "{}", "a JSON list of rows"),
        ("rows.bin", "x", "give the file its ending"),
        ("none.txt", None, "there is nothing"),
        ("none", None, "there is nothing"),
    ],
)
def test_what_cannot_be_read_is_said(
    tmp_path: Path, name: str, text: str | None, told: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ArgumentError, match=told) as raised:
        rows_named("human", str(tmp_path / name), "test")
    assert "`human`" in str(raised.value)


def test_bytes_and_empty_folders_are_said(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    for name in ("a.txt", "."):
        with pytest.raises(ArgumentError, match="it cannot be read"):
            rows_named("held_out", str(tmp_path / name), "test")


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_name_is_a_text(name: object) -> None:
    with pytest.raises(ArgumentError, match="`held_out` expected a file"):
        rows_named("held_out", name, "test")  # type: ignore[arg-type]


def test_what_the_hub_says_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def load_dataset(name: str, *, split: str) -> list[str]:
        asked.append((name, split))
        if name == "none/there":
            raise ConnectionError("no way\nmore")
        return TEXTS

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    assert rows_named("held_out", "people/texts", "test") == TEXTS
    with pytest.raises(ArgumentError, match="the hub gave none: ConnectionError: no way"):
        rows_named("held_out", "none/there", "test")
    assert asked == [("people/texts", "test"), ("none/there", "test")]
