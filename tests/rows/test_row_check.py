"""No row of another form passes, in whatever container, and the mix says which one it was."""

import pickle
from collections import UserDict
from collections.abc import Callable, Iterator
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from collapse_guard import ArgumentError, Decoding, MixCollator, MixGuard, MixStream, Source
from collapse_guard.rows.row_check import UNKNOWN, RowCheck

MASKED = {"input_ids": [1, 2], "labels": [-100, 2]}
PLAIN = {"input_ids": [1, 2]}


class Rows:
    """A map-style data set that is no list."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Any:
        return self._rows[index]


class Stream:
    """Rows that begin anew each time."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)


def hf_stream(rows: list[Any]) -> datasets.IterableDataset:
    stream = datasets.Dataset.from_dict({"row": range(len(rows))}).to_iterable_dataset()
    return stream.map(lambda row: rows[row["row"]], remove_columns=["row"])


def transformed(rows: list[Any]) -> datasets.Dataset:
    numbered = datasets.Dataset.from_dict({"row": range(len(rows))})
    numbered.set_transform(
        lambda batch: {
            column: [rows[row][column] for row in batch["row"]] for column in rows[batch["row"][0]]
        }
    )
    return numbered


def read_guard(human: Any, synthetic: Any) -> None:
    guard = MixGuard(human, synthetic, human_fraction=0.5, block_size=2)
    for slot in range(len(guard)):
        guard[slot]


def read_stream(human: Any, synthetic: Any) -> None:
    list(MixStream(human, synthetic, human_fraction=0.5, block_size=2, shuffle_buffer=4))


CONTAINERS: dict[str, tuple[Callable[..., Any], Callable[..., None]]] = {
    "lists": (list, read_guard),
    "map-style": (Rows, read_guard),
    "transformed": (transformed, read_guard),
    "streams": (Stream, read_stream),
    "hf streams": (hf_stream, read_stream),
    "lists in a stream": (list, read_stream),
    "map-style in a stream": (Rows, read_stream),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("masked_first", [True, False])
def test_labels_in_one_source_only_are_never_dropped(container: str, masked_first: bool) -> None:
    make, read = CONTAINERS[container]
    ours, theirs = (MASKED, PLAIN) if masked_first else (PLAIN, MASKED)
    with pytest.raises(ArgumentError, match=r"(?s)`synthetic` expected the columns .*give labels"):
        read(make([ours] * 6), make([theirs] * 6))
    read(make([ours] * 6), make([ours] * 6))


LATER: dict[str, tuple[Any, str]] = {
    "missing": (PLAIN, r"\['input_ids'\] in row 3.*give labels to all rows"),
    "added": (
        {**MASKED, "url": "a"},
        r"'url'\] in row 3.*only rows like row 3 of human have \['url'\]; rename or remove",
    ),
    "of another type": (
        {"input_ids": [1, 2], "labels": "a"},
        "a list of number in column 'labels', .*got 'a': change row 3 of 'human'",
    ),
    "of no columns": ([1, 2], "row 3 without column names"),
}


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("container", sorted({*CONTAINERS} - {"transformed", "hf streams"}))
def test_a_later_row_of_another_form_is_named(container: str, later: str) -> None:
    make, read = CONTAINERS[container]
    row, message = LATER[later]
    with pytest.raises(ArgumentError, match=f"(?s)`human` expected .*?{message}"):
        read(make([MASKED] * 3 + [row] + [MASKED] * 2), make([MASKED] * 6))


def test_lists_are_refused_at_construction() -> None:
    for mix in (MixGuard, MixStream):
        with pytest.raises(ArgumentError, match=r"columns of human rows \['a'\].*'b'\] in row 1"):
            mix([{"a": 1}, {"a": 1, "b": 2}], [{"a": 1}], human_fraction=0.5, block_size=2)


def test_streams_are_compared_with_what_other_sources_declare() -> None:
    stored = datasets.Dataset.from_list([MASKED] * 6)
    for human in (stored, stored.to_iterable_dataset()):
        with pytest.raises(ArgumentError, match=r"the columns of human rows.*row 0.*give labels"):
            read_stream(human, Stream([PLAIN] * 6))


def test_values_that_a_batch_can_hold_together_pass() -> None:
    check = RowCheck(["a"], [UNKNOWN], [False])
    for number, value in enumerate((None, 1, 2.5, True, np.int64(3), torch.tensor(1), object())):
        check.rows(0, [{"x": value, "ids": [1]}], [number])
    for ids in ([], None, (1, 2), np.array([1.0]), torch.tensor([1], dtype=torch.bfloat16)):
        check.rows(0, [{"x": 1, "ids": ids}], [0])
    check.rows(0, [{"ids": [1], "x": 1}, UserDict(x=1, ids=[1])], [8, 9])  # type: ignore[list-item]
    with pytest.raises(ArgumentError, match="`a` expected the columns"):
        check.rows(0, [UserDict(x=1)], [10])
    with pytest.raises(ArgumentError, match=r"a number in column 'x'.*'1'.*row 11"):
        pickle.loads(pickle.dumps(check)).rows(0, [{"x": "1", "ids": [1]}], [11])


@given(
    st.lists(st.dictionaries(st.sampled_from("ab"), st.sampled_from([1, "x", None])), min_size=1)
)
def test_a_check_refuses_the_first_row_that_fits_no_row_before(rows: list[dict[str, Any]]) -> None:
    def fits(row: dict[str, Any], other: dict[str, Any]) -> bool:
        return row.keys() == other.keys() and not any(
            {type(row[column]), type(other[column])} == {int, str} for column in row
        )

    expected = next(
        (n for n, row in enumerate(rows) if not all(fits(row, other) for other in rows[:n])), None
    )
    check = RowCheck(["a"], [UNKNOWN], [False])
    for number, row in enumerate(rows):
        if number == expected:
            with pytest.raises(ArgumentError, match=f"row {number}"):
                check.rows(0, [row], [number])
            return
        check.rows(0, [row], [number])


def test_stored_rows_are_not_looked_at() -> None:
    stored = [{"a": 1}]
    RowCheck(["a"], [{"a": "int64"}], [True]).rows(0, [{"b": 1}, *stored], [0, 1])


def test_what_is_shown_of_a_data_set_is_what_counts() -> None:
    human = datasets.Dataset.from_list([MASKED] * 6)
    narrowed = human.with_format(None, columns=["input_ids"])
    with pytest.raises(ArgumentError, match=r"only human rows have \['labels'\].*give labels"):
        MixGuard(human, narrowed, human_fraction=0.5, block_size=2)
    read_guard(narrowed, narrowed)


def marked(human: list[Any], synthetic: list[Any]) -> list[Any]:
    drawn = Source(synthetic, "web", "synthetic", decoding=Decoding(temperature=0.8))
    guard = MixGuard(human, drawn, human_fraction=0.5, block_size=2)
    return [guard[slot] for slot in range(len(guard))]


def test_marks_hide_no_masked_prompt() -> None:
    """Where labels are marked, columns that say how rows were drawn may differ, labels never."""
    drawn = {**PLAIN, "drawn_mask": [0, 1]}
    rows = marked([PLAIN] * 2, [drawn] * 2)
    assert {tuple(row) for row in rows} == {("input_ids", "labels")}
    for human, synthetic in (([MASKED] * 2, [drawn] * 2), ([PLAIN] * 2, [{**drawn, **MASKED}] * 2)):
        with pytest.raises(ArgumentError, match="give labels to all rows"):
            marked(human, synthetic)
    with pytest.raises(ArgumentError, match="give labels to all rows"):
        marked([MASKED, PLAIN], [{**drawn, **MASKED}] * 2)
    with pytest.raises(ArgumentError, match="`labels` expected labels in every row"):
        marked([MASKED, {**PLAIN, "labels": None}], [{**drawn, **MASKED}] * 2)
    stored = datasets.Dataset.from_list([MASKED, {**PLAIN, "labels": None}])
    with pytest.raises(ArgumentError, match="`labels` expected labels in every row"):
        marked(stored, datasets.Dataset.from_list([MASKED] * 2))


@pytest.mark.parametrize("labels", [True, False])
def test_a_collator_drops_no_column(labels: bool) -> None:
    for rows in ([PLAIN, MASKED], [MASKED, PLAIN]):
        with pytest.raises(ArgumentError, match=r"(?s)`rows` expected the columns .*give labels"):
            MixCollator(labels=labels)(rows)
