"""Errors, extras, atomic files, contained failures: what every part leans on."""

import logging
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from collapse_guard import ArgumentError, MissingExtraError
from collapse_guard.atomic import write_atomically
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.failures import FailureGuard


def test_errors_shorten_what_was_given_and_cross_processes() -> None:
    error = bad_argument("ids", expected="a", given="x" * 500, hint="do")
    assert "xxx...: do." in str(error)
    assert len(str(error)) < 200
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert isinstance(error, ValueError)


def test_missing_extra_says_what_to_install() -> None:
    with pytest.raises(MissingExtraError, match=r'pip install "collapse_guard\[report\]"'):
        require("no_such_package.part", "report")
    assert require("json", "report").dumps([]) == "[]"


def test_broken_packages_are_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text("import no_such_dependency")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency") as caught:
        require("broken_package", "report")
    assert not isinstance(caught.value, MissingExtraError)


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


def test_each_kind_of_failure_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    failures = FailureGuard("report")
    with caplog.at_level(logging.INFO, "collapse_guard"):
        for error in (ValueError("a"), ValueError("b"), KeyError("c")):
            with failures.contained("looking"):
                raise error
        with failures.contained("mailing"):
            raise ValueError("d")
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3
    assert caplog.records[0].exc_info is not None


def test_failures_are_raised_where_wanted_and_interrupts_always() -> None:
    with pytest.raises(ValueError, match="a"), FailureGuard("raise").contained("looking"):
        raise ValueError("a")
    with pytest.raises(KeyboardInterrupt), FailureGuard("report").contained("looking"):
        raise KeyboardInterrupt
    with pytest.raises(ArgumentError, match="`on_error`"):
        FailureGuard("ignore")  # type: ignore[arg-type]
