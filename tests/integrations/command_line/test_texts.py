from pathlib import Path
from typing import Any

import datasets
import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.integrations.command_line.texts import open_texts


def read(name: Path | str, **settings: Any) -> list[str]:
    return list(open_texts("HUMAN", str(name), **settings).read(lambda count: None))


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("ending", [".txt", ".md", ".tokens", ""])
def test_text_files_are_told_by_their_ending(tmp_path: Path, ending: str) -> None:
    assert read(written(tmp_path / f"a{ending}", "a\nb\n")) == ["a", "b"]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ('{"id": 1, "text": "a"}', "a"),
        ('{"prompt": "q", "completion": "a"}', "a"),
        ('"a"', "a"),
        ('{"text": null}', ""),
        (
            '{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"},'
            ' {"role": "user", "content": "r"}, {"role": "assistant", "content": "b"}]}',
            "a\n\nb",
        ),
        (
            '{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}',
            "a",
        ),
        ('{"messages": [{"role": "x", "content": "a"}, {"role": "y", "content": "b"}]}', "a\n\nb"),
    ],
)
def test_the_column_with_the_texts_is_found(tmp_path: Path, row: str, text: str) -> None:
    assert read(written(tmp_path / "a.jsonl", row)) == [text]


def test_another_column_can_be_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "text,title\nlong,short\n")
    assert read(path) == ["long"]
    assert read(path, column="title") == ["short"]


def test_a_folder_is_all_that_is_known_in_it(tmp_path: Path) -> None:
    written(tmp_path / "b.txt", "b\n")
    written(tmp_path / "a.jsonl", '{"text": "a"}\n')
    written(tmp_path / "model.bin", "?")
    texts = open_texts("HUMAN", str(tmp_path))
    assert list(texts.read(lambda count: None)) == ["a", "b"]
    assert texts.size == 16


@pytest.mark.parametrize("split", ["train", "test"])
def test_saved_data_sets_are_read(tmp_path: Path, split: str) -> None:
    rows = datasets.Dataset.from_dict({"text": ["a", "b"]})
    rows.save_to_disk(tmp_path / "one")
    assert read(tmp_path / "one", split=split) == ["a", "b"]
    datasets.DatasetDict({"test": rows.select([1]), "train": rows}).save_to_disk(tmp_path / "many")
    assert read(tmp_path / "many", split=split) == (["a", "b"] if split == "train" else ["b"])
    with pytest.raises(ArgumentError, match=r"`--split`.*test, train.*other"):
        read(tmp_path / "many", split="other")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("./nothing.txt", "`HUMAN`.*there is nothing"),
        ("/no/such/folder", "`HUMAN`.*there is nothing"),
        ("nobody/nothing", "`HUMAN`.*the hub gave none"),
    ],
)
def test_what_is_not_there_is_said(name: str, told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        read(name)


@pytest.mark.parametrize(
    ("file", "content", "settings", "told"),
    [
        ("a.bin", "?", {}, "`HUMAN`.*ending"),
        ("a.jsonl", '{"title": "a"}', {}, "`--column`.*title"),
        ("a.jsonl", '{"text": "a"}', {"column": "body"}, "`--column`.*text.*body"),
        ("a.jsonl", '{"text": "a"}\n{"text": 3}', {}, "`--column`.*int in row 2"),
        ("a.jsonl", '{"text": [1, 2]}', {}, "`--column`.*list in row 1"),
        ("a.jsonl", "[1]", {}, "`--column`.*none"),
    ],
)
def test_what_is_no_text_is_said(
    tmp_path: Path, file: str, content: str, settings: dict[str, Any], told: str
) -> None:
    path = written(tmp_path / file, content)
    with pytest.raises(ArgumentError, match=told):
        read(path, **settings)


def test_an_empty_file_has_no_texts(tmp_path: Path) -> None:
    assert read(written(tmp_path / "a.jsonl", "")) == []
