"""Files that are either the old one or the new one, never half of each, and reading them."""

import io
import json
import math
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_BYTES = 1 << 30
"""A file of arrays that unpacks to more is refused before it is unpacked: a reference of 2 million
types has a sixtieth of that, a track of 100,000 windows a third."""


def create_atomically(path: str | os.PathLike[str], content: bytes | str) -> bool:
    """Write a file whole where there is none; of several processes, one alone does.

    Args:
        path: Where the file shall be.
        content: As of `write_atomically`.

    Returns:
        False where there is one already, which stays as it is.
    """
    return _write(Path(path), content, _put_if_new)


def write_atomically(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Write a file so that a kill at any moment leaves the old content or the new one.

    The content goes to a temporary file in the same folder, is flushed to disk, and takes the
    final name in one rename. Missing parent folders are made.

    Args:
        path: Where the file shall be.
        content: What it shall hold; text is encoded as UTF-8.
    """
    _write(Path(path), content, _put)


def _write(target: Path, content: bytes | str, put: Callable[[str, Path], bool]) -> bool:
    target.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; a result that a colleague cannot read would surprise.
        os.chmod(temporary, 0o666 & ~_umask())
        return put(temporary, target)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _put(temporary: str, target: Path) -> bool:
    os.replace(temporary, target)
    return True


def _put_if_new(temporary: str, target: Path) -> bool:
    try:
        os.link(temporary, target)
    except FileExistsError:
        return False
    except OSError:
        # A file system without links: who makes the empty file fills it.
        try:
            target.open("xb").close()
        except FileExistsError:
            return False
        os.replace(temporary, target)
    return True


def read_arrays(path: str | os.PathLike[str], *names: str) -> list[npt.NDArray[Any]]:
    """Arrays of an `.npz` file that somebody gives, which may be cut short or any other file.

    What it says of its size is held against `MOST_BYTES` before anything is unpacked, and nothing
    in it is run.

    Args:
        path: The file.
        names: Of the arrays: these and no others.

    Raises:
        ValueError: It is no such file, a broken or an enormous one, or has other arrays.
        OSError: There is no file, or none that may be read.
    """
    # Of a broken file, `np.load` would leave the handle open.
    content = io.BytesIO(Path(path).read_bytes())
    try:
        with zipfile.ZipFile(content) as packed:
            _check_members(packed, names)
        content.seek(0)
        with np.load(content, allow_pickle=False) as file:
            return [file[name] for name in names]
    except (
        EOFError,
        KeyError,
        OSError,
        # Of a header with a shape that no array has.
        OverflowError,
        # Also of what `zipfile` cannot read, such as encrypted files.
        RuntimeError,
        # Of a single array there is nothing to enter.
        TypeError,
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ValueError(f"{os.fspath(path)} is no whole .npz with {', '.join(names)}") from error


def read_json(path: str | os.PathLike[str], *, or_nan: bool = False) -> Any:
    """What a JSON file holds that somebody gives, which may be cut short or any other file.

    Args:
        path: The file.
        or_nan: Whether NaN and infinity may stand in it, which JSON itself does not know.

    Raises:
        ValueError: It is no such file, or one that says a thing twice.
        OSError: There is no file, or none that may be read.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise ValueError("a name comes twice")
        return dict(pairs)

    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is no number")

    text = Path(path).read_bytes()
    try:
        return json.loads(
            text.decode("utf-8"),
            object_pairs_hook=once,
            parse_constant=float if or_nan else refuse,
        )
    except (RecursionError, ValueError) as error:
        raise ValueError(f"{os.fspath(path)} is no whole JSON file: {error}") from error


def _check_members(packed: zipfile.ZipFile, names: Iterable[str]) -> None:
    """Refuse an archive that holds anything but these arrays, or too much of them."""
    members = packed.infolist()
    if sorted(member.filename for member in members) != sorted(f"{name}.npy" for name in names):
        raise ValueError("it holds other files than it should")
    if sum(member.file_size for member in members) > MOST_BYTES:
        raise ValueError(f"it unpacks to more than {MOST_BYTES} bytes")
    for member in members:
        with packed.open(member) as file:
            version = np.lib.format.read_magic(file)
            if version == (1, 0):
                header = np.lib.format.read_array_header_1_0(file)
            else:
                header = np.lib.format.read_array_header_2_0(file)
            shape, _, dtype = header
            size = math.prod(shape) * dtype.itemsize
            # The array is made before it is read, however little follows.
            if dtype.hasobject or size != member.file_size - file.tell():
                raise ValueError("an array is not of the size that it says")


def _umask() -> int:
    # The umask can only be read by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
