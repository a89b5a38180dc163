import json
from pathlib import Path
from typing import Any

import pytest
from datatrove.io import get_datafolder

from collapse_guard import ArgumentError
from collapse_guard.integrations.datatrove.rank_files import (
    open_folder,
    rank_files,
    write_rank_file,
)


def written(folder: Path, ranks: list[int], world_size: int = 3) -> Path:
    for rank in ranks:
        write_rank_file(get_datafolder(str(folder)), rank, world_size, {"n": rank})
    return folder


def test_files_come_in_the_order_of_the_tasks_and_a_task_replaces_its_own(tmp_path: Path) -> None:
    written(tmp_path, [2, 0, 1, 0])
    assert [said.value for said in rank_files(str(tmp_path))] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"0000{n}.json" for n in range(3)]


@pytest.mark.parametrize(("ranks", "message"), [([], "`folder`"), ([0, 2], "world_size")])
def test_a_task_that_is_missing_is_told(tmp_path: Path, ranks: list[int], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        list(rank_files(str(written(tmp_path, ranks))))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"format": 1, "rank"', "00001.json"),
        ("[" * 100_000, "00001.json"),
        (json.dumps({"format": 2, "rank": 1, "world_size": 3, "said": {}}), "format 1"),
        (json.dumps({"format": 1, "rank": 2, "world_size": 3, "said": {}}), "task 1"),
    ],
)
def test_a_broken_file_is_refused_by_its_name(tmp_path: Path, content: str, message: Any) -> None:
    written(tmp_path, [0, 1, 2])
    (tmp_path / "00001.json").write_text(content)
    with pytest.raises(ArgumentError, match=message):
        list(rank_files(str(tmp_path)))


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ArgumentError, match="argument `output_folder` expected"):
        open_folder("output_folder", tmp_path / "file")
