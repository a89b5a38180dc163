"""Containers whose meaning is plain become rows, and others are refused with what to write."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas
import pyarrow
import pytest
import torch
from transformers import BatchEncoding

from collapse_guard import MixGuard, MixStream, Source
from collapse_guard.audit import audit_rows
from collapse_guard.errors import ArgumentError
from collapse_guard.rows.containers import as_rows

COLUMNS: dict[str, Any] = {"input_ids": [[1, 2], [3], [4, 5, 6]], "labels": [0, 1, 1]}
ROWS = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]
EVEN = [[1, 2], [3, 4], [5, 6]]

TAKEN: dict[str, Callable[[], Any]] = {
    "a list": lambda: ROWS,
    "a tuple": lambda: tuple(ROWS),
    "a dict of columns": lambda: COLUMNS,
    "a slice of a data set": lambda: datasets.Dataset.from_list(ROWS)[:],
    "columns of a data set": lambda: {n: datasets.Dataset.from_list(ROWS)[n] for n in COLUMNS},
    "arrays": lambda: {"input_ids": COLUMNS["input_ids"], "labels": np.array([0, 1, 1])},
    "a data frame": lambda: pandas.DataFrame(COLUMNS),
    "a sorted data frame": lambda: pandas.DataFrame(COLUMNS, index=[2, 0, 1]),
    "series": lambda: {name: pandas.Series(values) for name, values in COLUMNS.items()},
    "a tokenizer's output": lambda: BatchEncoding(COLUMNS),
}


@pytest.mark.parametrize("container", TAKEN)
def test_what_is_plain_becomes_rows(container: str) -> None:
    rows = as_rows("human", TAKEN[container]())
    assert [rows[number] for number in range(len(rows))] == ROWS
    made = TAKEN[container]
    guard = MixGuard(made(), Source(made(), "web", "synthetic"), human_fraction=0.5, block_size=2)
    located = guard.locate(range(len(guard)))
    assert guard.__getitems__(list(range(len(guard)))) == [ROWS[row] for row in located.row]
    stream = MixStream(made(), made(), human_fraction=0.5, block_size=2)
    assert sorted(row["input_ids"] for row in stream) == sorted(2 * COLUMNS["input_ids"])
    report = audit_rows([Source(made(), "web", "synthetic")], near=None)
    assert report.num_rows == {"web": 3}


@pytest.mark.parametrize("make", [np.array, torch.tensor])
def test_a_matrix_of_tokens_has_a_row_for_each(make: Callable[[Any], Any]) -> None:
    rows = as_rows("human", BatchEncoding({"input_ids": make(EVEN), "label": make([1, 2, 3])}))
    assert [row["input_ids"].tolist() for row in rows.__getitems__([2, 0])] == [[5, 6], [1, 2]]
    assert [type(row["label"]) for row in rows.__getitems__([2, 0])] == [int, int]


def test_data_frames_are_read_as_python_reads_them() -> None:
    frame = pandas.DataFrame({"text": ["a", None], "score": [0.5, 1.0], "label": [1, 2]})
    assert as_rows("human", frame)[1] == {"text": None, "score": 1.0, "label": 2}
    assert type(as_rows("human", frame)[1]["label"]) is int
    assert list(as_rows("human", pandas.Series(["a", "b"], index=[1, 0]))) == ["a", "b"]


def numbers() -> Iterator[int]:
    yield from range(3)


DS = datasets.Dataset.from_list(ROWS)
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a path": (
        lambda: "/data/1.jsonl",
        r'datasets.load_dataset\("json", data_files=\'/data/1.jsonl\', split="train"\)',
    ),
    "a table's path": (lambda: Path("a.csv"), r'load_dataset\("csv", data_files=\'a.csv\''),
    "a folder": (lambda: Path("/data/saved"), r"load_from_disk\('/data/saved'\)"),
    "a name": (lambda: "wikitext", r"load_dataset\('wikitext', split=\"train\"\)"),
    "bytes": (lambda: b"a.jsonl", "load_dataset"),
    "a text": (lambda: "It was a bright day.", "give a list of rows"),
    "two data sets": (lambda: [DS, DS], r"concatenate_datasets.*\[Source\("),
    "a tuple of data sets": (lambda: (DS, DS), r"concatenate_datasets"),
    "data frames": (lambda: [pandas.DataFrame(COLUMNS)] * 2, "concatenate_datasets"),
    "torch data sets": (
        lambda: [torch.utils.data.TensorDataset(torch.arange(3))],
        "concatenate_datasets",
    ),
    "splits": (
        lambda: datasets.DatasetDict({"test": DS, "train": DS}),
        r'rows of one split, .*choose one: human\["train"\]',
    ),
    "splits of streams": (
        lambda: datasets.IterableDatasetDict({"dev": DS.to_iterable_dataset()}),
        r'choose one: human\["dev"\]',
    ),
    "splits of lists": (lambda: {"train": ROWS, "test": ROWS}, r'human\["train"\]'),
    "one row": (lambda: {"text": "a"}, r"\[row\] if this is a single one"),
    "one row's tokens": (lambda: BatchEncoding({"input_ids": [1, 2]}), "a single one"),
    "one row's tensors": (lambda: {"input_ids": torch.tensor([1, 2])}, "a single one"),
    "no columns": (dict, "a dict of columns"),
    "numbered columns": (lambda: {0: [1, 2]}, "a dict of columns"),
    "columns of several lengths": (
        lambda: {"a": [1], "b": [1, 2]},
        r"columns of equal length, .*\{'a': 1, 'b': 2\}",
    ),
    "columns of one name": (
        lambda: pandas.DataFrame([[1, 2]], columns=["a", "a"]),
        "names of their own",
    ),
    "columns without names": (lambda: pandas.DataFrame([[1, 2]]), "names of their own"),
    "a generator": (numbers, "used up once it was read"),
    "a generator's function": (lambda: numbers, "IterableDataset.from_generator"),
    "a map": (lambda: map(str, [1]), "used up"),
    "a zip": (lambda: zip([1], [2], strict=True), "used up"),
    "a filter": (lambda: filter(None, [1]), "used up"),
    "a file": (lambda: io.StringIO("a"), "used up"),
    "a set": (lambda: {1, 2}, "sorted"),
    "a table": (lambda: pyarrow.table(COLUMNS), r"datasets.Dataset\(human\)"),
}


@pytest.mark.parametrize("container", REFUSED)
@pytest.mark.parametrize(
    "use",
    [
        lambda rows: MixGuard(rows, [1], human_fraction=0.5, block_size=2),
        lambda rows: MixStream(rows, [1], human_fraction=0.5, block_size=2),
        lambda rows: Source(rows, "human", "human"),
        lambda rows: audit_rows([Labelled(rows)], near=None),
    ],
    ids=["guard", "stream", "source", "audit"],
)
def test_others_are_refused_with_what_to_write(
    container: str, use: Callable[[Any], object]
) -> None:
    made, message = REFUSED[container]
    with pytest.raises(ArgumentError, match=f"(?s)`human` expected .*{message}"):
        use(made())


class Labelled:
    name = "human"
    kind: Any = "human"

    def __init__(self, rows: Any) -> None:
        self.rows = rows
