"""A file is written whole or not at all."""

import io
import math
import os
import random
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from collapse_guard.atomic import create_atomically, read_arrays, read_json, write_atomically


def test_written_files_are_readable_by_others(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        write_atomically(tmp_path / "new" / "file", "text")
    finally:
        os.umask(mask)
    assert (tmp_path / "new" / "file").read_text() == "text"
    assert (tmp_path / "new" / "file").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("write", [write_atomically, create_atomically])
def test_it_is_written_hidden_in_the_folder_that_it_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[..., object]
) -> None:
    folder, synchronise, there = tmp_path / "new" / "newer", os.fsync, []

    def look(descriptor: int) -> None:
        there.extend(os.listdir(folder))
        synchronise(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    write(folder / "file", "text")
    # A rename from elsewhere may be a copy, and one that is killed leaves half a file.
    (temporary,) = there
    assert temporary.startswith(".file.")
    assert os.listdir(folder) == ["file"]


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_is_there_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError("no links here")

    if not has_links:
        monkeypatch.setattr(os, "link", fail)
    assert create_atomically(tmp_path / "new" / "file", "old")
    assert not create_atomically(tmp_path / "new" / "file", "new")
    assert (tmp_path / "new" / "file").read_text() == "old"
    assert os.listdir(tmp_path / "new") == ["file"]


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


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, counts=np.arange(400), settings=np.array("some settings"))
    return buffer.getvalue()


def test_arrays_come_as_they_were_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", npz())
    settings, counts = read_arrays(tmp_path / "file", "settings", "counts")
    assert str(settings) == "some settings"
    np.testing.assert_array_equal(counts, np.arange(400))
    with pytest.raises(ValueError, match=f"{tmp_path / 'file'} is no whole .npz with counts, sums"):
        read_arrays(tmp_path / "file", "counts", "sums")
    for absent in (tmp_path / "missing", tmp_path):
        with pytest.raises(OSError, match=str(absent)):
            read_arrays(absent, "counts")


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_arrays_of_each_form_are_read(tmp_path: Path, version: tuple[int, int]) -> None:
    with zipfile.ZipFile(tmp_path / "file", "w") as packed, packed.open("counts.npy", "w") as file:
        np.lib.format.write_array(file, np.arange(7), version=version)
    assert read_arrays(tmp_path / "file", "counts")[0].tolist() == list(range(7))


def test_what_is_cut_short_or_broken_is_no_file_of_arrays(tmp_path: Path) -> None:
    good, chance, path = npz(), random.Random(0), tmp_path / "file"
    broken = [good[:size] for size in range(0, len(good), 3)]
    for _ in range(1500):
        content = bytearray(good)
        content[chance.randrange(len(good))] = chance.randrange(256)
        broken.append(bytes(content))
    single = io.BytesIO()
    np.save(single, np.arange(3))
    starts = [b"", b"PK\x03\x04", b"\x93NUMPY", b"\x80\x04"]
    foreign = [single.getvalue(), *(each + chance.randbytes(50) for each in starts)]
    refused = 0
    for content in (*broken, *foreign):
        path.write_bytes(content)
        try:
            counts, settings = read_arrays(path, "counts", "settings")
        except ValueError:
            refused += 1
        else:
            # A bit of the archive that nobody reads, such as a time.
            assert (counts.tolist(), str(settings)) == (list(range(400)), "some settings")
    assert refused > 0.8 * len(broken)


def test_json_comes_as_it_was_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", '{"naïve": [1, 2.5, null], "more": {"naïve": true}}')
    assert read_json(tmp_path / "file") == {"naïve": [1, 2.5, None], "more": {"naïve": True}}
    for absent in (tmp_path / "missing", tmp_path):
        with pytest.raises(OSError, match=str(absent)):
            read_json(absent)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_json_has_what_is_no_number_only_where_it_may(tmp_path: Path, constant: str) -> None:
    write_atomically(tmp_path / "file", f"[1.0, {constant}]")
    with pytest.raises(ValueError, match=f"is no whole JSON file: {constant} is no number"):
        read_json(tmp_path / "file")
    one, other = read_json(tmp_path / "file", or_nan=True)
    assert one == 1.0
    assert not math.isfinite(other)
    assert repr(other) == repr(float(constant))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "Expecting value"),
        (b'{"a": [1, 2', "Expecting"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "a name comes twice"),
        (b'"na\xefve"', "codec can't decode"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_what_is_no_whole_json_is_told_with_the_name_of_the_file(
    tmp_path: Path, content: bytes, told: str
) -> None:
    write_atomically(tmp_path / "file", content)
    with pytest.raises(ValueError, match=f"{tmp_path / 'file'} is no whole JSON file: .*{told}"):
        read_json(tmp_path / "file")
