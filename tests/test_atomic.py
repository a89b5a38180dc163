"""A file is written whole or not at all."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from collapse_guard.atomic import write_atomically


def test_written_files_are_readable_by_others(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        write_atomically(tmp_path / "new" / "file", "text")
    finally:
        os.umask(mask)
    assert (tmp_path / "new" / "file").read_text() == "text"
    assert (tmp_path / "new" / "file").stat().st_mode & 0o777 == 0o644


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    code = (
        "import itertools, sys\n"
        "from collapse_guard.atomic import write_atomically\n"
        "for i in itertools.cycle(range(10)):\n"
        "    write_atomically(sys.argv[1], str(i) * 200_000)\n"
    )
    for delay in (0.0, 0.013, 0.031):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)])
        while not path.exists():
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(delay)
        process.kill()
        process.wait()
        content = path.read_text()
        assert len(content) == 200_000
        assert len(set(content)) == 1
