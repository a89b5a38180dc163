from pathlib import Path

import pytest

from collapse_guard.integrations.command_line.training_code import sources
from collapse_guard.integrations.command_line.training_code.sources import parsed, read_folder
from tests.integrations.command_line.training_code.scripts import notebook


def test_only_what_somebody_wrote_is_read(tmp_path: Path) -> None:
    for name in (
        "a.py",
        "sub/b.py",
        ".git/c.py",
        "venv/d.py",
        "mine/lib/e.py",
        "x/node_modules/f.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1")
    (tmp_path / "mine/pyvenv.cfg").touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    read = read_folder(tmp_path)
    assert [source.file for source in read.sources] == ["a.py", "sub/b.py"]
    assert read.skipped == []


def test_nothing_is_run(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nimport no_such_module")
    assert len(read_folder(tmp_path).sources) == 1
    assert not (tmp_path / "ran").exists()


def test_what_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_BYTES", 2 << 20)
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe")
    (tmp_path / "deep.py").write_text("(" * 5_000)
    (tmp_path / "large.py").write_text("#" * (3 << 20))
    (tmp_path / "old.py").write_text("x = 1\nprint 'x'")
    (tmp_path / "nothing.ipynb").write_text("[]")
    (tmp_path / "null.py").write_text("x = '\0'")
    read = read_folder(tmp_path)
    assert read.sources == []
    assert [line.partition(" (")[0] for line in read.skipped] == [
        "bytes.py: cannot be read",
        "deep.py:1: does not parse as Python",
        "large.py: more than 2 MiB",
        "nothing.ipynb: is no notebook that can be read",
        "null.py:1: does not parse as Python",
        "old.py:2: does not parse as Python",
    ]


def test_files_near_the_top_are_read_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_FILES", 2)
    (tmp_path / "a/b").mkdir(parents=True)
    for name in ("a/b/1.py", "a/2.py", "z.py"):
        (tmp_path / name).touch()
    read = read_folder(tmp_path)
    assert [source.file for source in read.sources] == ["z.py", "a/2.py"]
    assert read.skipped == ["all but 2 files: look at a folder further down"]


def test_cells_are_one_text_without_magic(tmp_path: Path) -> None:
    text = notebook("%%bash\nls(", "!pip install x\nif a:\n    %time b\n", "x = (", "y = 1\nz = 2")
    (tmp_path / "a.ipynb").write_text(text)
    read = read_folder(tmp_path)
    (source,) = read.sources
    assert source.text.split("\n")[2:] == ["pass", "if a:", "    pass", "", "y = 1", "z = 2"]
    assert source.cell_of(4) == (4, 2)
    assert source.cell_of(8) == (8, 6)
    assert read.skipped == ["a.ipynb: cell 6 does not parse as Python"]


def test_line_ends_of_others_count_as_ours(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"\xef\xbb\xbfx = 1\r\ny = 2\r\n")
    (source,) = read_folder(tmp_path).sources
    assert source.lines() == ["x = 1", "y = 2", ""]


def test_strange_escapes_are_nobody_s_business() -> None:
    assert parsed(r"x = '\d'").body
