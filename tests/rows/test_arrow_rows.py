"""Against reading each row from its own data set, one by one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from collapse_guard.rows.token_batch import TokenBatch
from tests.rows.data_sets import NUM_ROWS, check, even, ragged, tokens, with_floats, with_text


@pytest.mark.parametrize("row_format", [None, "numpy", "torch"])
@pytest.mark.parametrize("make", [even, ragged, with_text, with_floats])
def test_tokens_and_text_come_out_of_the_buffers(make: Any, row_format: str | None) -> None:
    batch = check([make(seed).with_format(row_format) for seed in range(3)])
    assert isinstance(batch, TokenBatch)


@pytest.mark.parametrize("row_format", [None, "numpy", "torch"])
def test_text_alone(row_format: str | None) -> None:
    sources = [with_text(seed).select_columns("text").with_format(row_format) for seed in range(3)]
    assert type(check(sources)) is list


@pytest.mark.skipif(not hasattr(datasets, "Json"), reason="older data sets have no such column")
def test_what_is_stored_as_text_but_is_none() -> None:
    def in_json(seed: int) -> datasets.Dataset:
        values = [{"seed": seed, "row": [row]} for row in range(NUM_ROWS)]
        features = datasets.Features({"value": datasets.Json()})
        return datasets.Dataset.from_dict({"value": values}, features=features)

    assert check([in_json(seed) for seed in range(3)])[0] == {"value": {"seed": 0, "row": [3]}}


def test_text_beside_floats() -> None:
    check([with_text(seed).add_column("x", [0.5] * NUM_ROWS) for seed in range(3)])


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.shuffle(seed=5),
        lambda data: data.select(range(NUM_ROWS)),
        lambda data: data.filter(lambda row: True),
        lambda data: datasets.concatenate_datasets([data.select([4]), data.shuffle(seed=1)]),
        lambda data: datasets.concatenate_datasets([data, data]),
        lambda data: data.map(lambda row: row, writer_batch_size=7),
        lambda data: data.with_format("torch", columns=["n"]),
        lambda data: data.cast_column("input_ids", datasets.List(datasets.Value("int32"), 6)),
        lambda data: data.cast_column("input_ids", datasets.LargeList(datasets.Value("uint16"))),
        lambda data: data.cast_column("n", datasets.ClassLabel(NUM_ROWS)),
    ],
)
def test_changed_data_sets_too(change: Callable[[datasets.Dataset], datasets.Dataset]) -> None:
    assert isinstance(check([change(even(seed)) for seed in range(3)]), TokenBatch)


def test_some_selected_and_some_not(tmp_path: Path) -> None:
    even(0).save_to_disk(tmp_path / "saved")
    sources = [datasets.load_from_disk(tmp_path / "saved"), even(1).shuffle(seed=3), even(2)]
    assert isinstance(check(sources), TokenBatch)


def test_data_sets_with_rows_of_two_lengths_are_ragged_together() -> None:
    longer = datasets.Dataset.from_dict(
        {"input_ids": [row * 2 for row in tokens(1)], "n": list(range(NUM_ROWS))}
    )
    check([even(0), longer, even(2)])
