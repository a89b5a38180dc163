"""What is no container of rows, though users take it for one, and what to write in its place."""

import os
import sys
from collections.abc import Iterator, Set as AbstractSet
from inspect import isgeneratorfunction
from typing import Any

from torch.utils.data import Dataset

_FRAMES = (("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "Table"))
_LOADERS = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".txt": "text"}


def what_to_write(name: str, given: Any) -> str | None:
    """What to do in place of giving this for rows, as an imperative clause.

    Args:
        name: Of the source.
        given: Something that is no data frame and no mapping.

    Returns:
        None where it may be rows.
    """
    if isinstance(given, str | bytes | os.PathLike):
        return _how_to_load(given)
    if holds_data_sets(given):
        kind = name if name in ("human", "synthetic") else "human"
        return (
            "make one of them, datasets.concatenate_datasets([...]), or several sources, each with "
            f'its share: [Source(rows, "a name of its own", {kind!r}), ...]'
        )
    is_spent_once = isinstance(given, Iterator) and not hasattr(given, "__getitem__")
    if is_spent_once or isgeneratorfunction(given):
        return (
            "it is used up once it was read: list(...) makes rows of it, and a MixStream takes "
            "what begins anew each time, as datasets.IterableDataset.from_generator(make_rows) does"
        )
    if isinstance(given, AbstractSet):
        return "give sorted(...) of it: a set has another order in each process"
    if is_of(given, "pyarrow", "Table"):
        return f"give datasets.Dataset({called(name)})"
    if is_of(given, "polars", "DataFrame"):
        return f"give datasets.Dataset.from_polars({called(name)})"
    return None


def _how_to_load(given: Any) -> str:
    path = given if isinstance(given, str) else os.fsdecode(given)
    ending = os.path.splitext(path)[1]
    if "\n" in path or " " in path.strip():
        return 'give a list of rows, [{"text": ...}, ...]'
    if ending:
        loader = _LOADERS.get(ending, "json")
        return f'read it: datasets.load_dataset("{loader}", data_files={path!r}, split="train")'
    if path[:1] == os.sep or isinstance(given, os.PathLike):
        return f"read it: datasets.load_from_disk({path!r})"
    return f'read it: datasets.load_dataset({path!r}, split="train")'


def called(name: str) -> str:
    """How the rows of a source are written in code, for hints."""
    return name if name.isidentifier() else "rows"


def is_data_set(value: Any) -> bool:
    """Whether a value holds rows itself, in a container that tells so."""
    is_frame = any(is_of(value, *kind) for kind in _FRAMES)
    is_stored = hasattr(value, "column_names") and not isinstance(value, type)
    return is_stored or is_frame or isinstance(value, Dataset)


def holds_data_sets(given: Any) -> bool:
    """Whether this is a list of data sets, by its first one."""
    return isinstance(given, list | tuple) and bool(given) and is_data_set(given[0])


def is_of(value: Any, package: str, name: str) -> bool:
    """Whether a value is of a class of a package, which is not imported for it."""
    if package not in sys.modules:
        return False
    return any(
        kind.__name__ == name and kind.__module__.split(".")[0] == package
        for kind in type(value).__mro__
    )
