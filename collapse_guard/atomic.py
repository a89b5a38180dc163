"""Files that are either the old one or the new one, never half of each, and reading them."""

import io
import os
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def write_atomically(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Write a file so that a kill at any moment leaves the old content or the new one.

    The content goes to a temporary file in the same folder, is flushed to disk, and takes the
    final name in one rename. Missing parent folders are made.

    Args:
        path: Where the file shall be.
        content: What it shall hold; text is encoded as UTF-8.
    """
    target = Path(path)
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
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_arrays(path: str | os.PathLike[str], *names: str) -> list[npt.NDArray[Any]]:
    """Arrays of an `.npz` file that somebody gives, which may be cut short or any other file.

    Args:
        path: The file.
        names: Of the arrays.

    Raises:
        ValueError: It is no such file, a broken one, or lacks one of the arrays.
        OSError: There is no file, or none that may be read.
    """
    # Of a broken file, `np.load` would leave the handle open.
    content = io.BytesIO(Path(path).read_bytes())
    try:
        with np.load(content, allow_pickle=False) as file:
            return [file[name] for name in names]
    except (
        EOFError,
        KeyError,
        OSError,
        # Also of what `zipfile` cannot read, such as encrypted files.
        RuntimeError,
        # Of a single array there is nothing to enter.
        TypeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ValueError(f"{os.fspath(path)} is no whole .npz with {', '.join(names)}") from error


def _umask() -> int:
    # The umask can only be read by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
