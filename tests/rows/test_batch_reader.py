"""Against reading each row from its own data set, one by one."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from transformers import DataCollatorForLanguageModeling, default_data_collator

from collapse_guard.rows.batch_reader import BatchReader
from collapse_guard.rows.collate import MixCollator
from collapse_guard.rows.token_batch import TokenBatch

NUM_ROWS = 40
SOURCES = np.array([0, 1, 1, 0, 2, 1, 2, 2])
ROWS = np.array([3, 39, 0, 3, 17, 17, 0, 8])


def tokens(seed: int) -> list[list[int]]:
    ids: list[list[int]] = np.random.default_rng(seed).integers(0, 50_000, (NUM_ROWS, 6)).tolist()
    return ids


def even(seed: int) -> datasets.Dataset:
    ids = tokens(seed)
    return datasets.Dataset.from_dict({"input_ids": ids, "n": list(range(NUM_ROWS))})


def ragged(seed: int) -> datasets.Dataset:
    return datasets.Dataset.from_dict(
        {"input_ids": [row[: 1 + row[0] % 6] for row in tokens(seed)]}
    )


def with_text(seed: int) -> datasets.Dataset:
    return even(seed).add_column("text", [f"{seed} {row}" for row in range(NUM_ROWS)])


def with_floats(seed: int) -> datasets.Dataset:
    return even(seed).add_column("score", [row / 7 for row in range(NUM_ROWS)])


def negated(rows: dict[str, list[int]]) -> dict[str, list[int]]:
    return {"m": [-n for n in rows["n"]]}


def same(one: Any, other: Any) -> bool:
    """Equal in value and in type."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    equal = np.array_equal(one, other) and np.shape(one) == np.shape(other)
    return equal and type(one) is type(other) and getattr(one, "dtype", 0) == getattr(
        other, "dtype", 0
    )  # fmt: skip


def row_of(source: Any, number: int) -> Any:
    # As loaders read it: a scalar of numpy's format has another type there than in `source[n]`.
    if hasattr(source, "__getitems__"):
        return source.__getitems__([number])[0]
    return source[number]


def check(sources: list[Any]) -> list[Any]:
    """The batch, once it is found to be what the sources say one by one."""
    reader = BatchReader(sources)
    for copy in (reader, pickle.loads(pickle.dumps(reader))):
        batch: list[Any] = copy.read(SOURCES, ROWS)
        for row, source, number in zip(list(batch), SOURCES, ROWS, strict=True):
            assert same(row, row_of(sources[source], int(number)))
    return reader.read(SOURCES, ROWS)


@pytest.mark.parametrize("row_format", [None, "numpy", "torch"])
@pytest.mark.parametrize("make", [even, ragged, with_text, with_floats])
def test_tokens_and_text_come_out_of_the_buffers(make: Any, row_format: str | None) -> None:
    batch = check([make(seed).with_format(row_format) for seed in range(3)])
    assert isinstance(batch, TokenBatch)


@pytest.mark.parametrize("row_format", [None, "numpy", "torch"])
def test_text_alone(row_format: str | None) -> None:
    sources = [with_text(seed).select_columns("text").with_format(row_format) for seed in range(3)]
    assert type(check(sources)) is list


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


@pytest.mark.parametrize(
    "sources",
    [
        [with_floats(seed).select_columns("score") for seed in range(3)],
        [even(0), even(1).with_format("numpy"), even(2)],
        [even(seed).with_format("torch", dtype=torch.int32) for seed in range(3)],
        [
            even(seed).with_format("numpy", columns=["n"], output_all_columns=True)
            for seed in [0] * 3
        ],
        [even(0), even(1).cast_column("n", datasets.Value("int16")), even(2)],
        [even(0), [even(1)[row] for row in range(NUM_ROWS)], even(2)],
        [even(seed).with_transform(negated) for seed in range(3)],
        [[{"a": row} for row in range(NUM_ROWS)]] * 3,
        [range(NUM_ROWS)] * 3,
    ],
)
def test_everything_else_is_read_as_it_says_itself(sources: list[Any]) -> None:
    assert not isinstance(check(sources), TokenBatch)


def test_a_data_set_with_ways_of_its_own_is_asked() -> None:
    class Doubled(datasets.Dataset):  # type: ignore[misc]
        def __getitem__(self, key: Any) -> Any:
            return {
                name: [2 * n for n in column] for name, column in super().__getitem__(key).items()
            }

    data = even(0)
    doubled = Doubled(data.data, info=data.info)
    batch = BatchReader([doubled]).read(np.zeros(2, np.int64), np.array([3, 4]))
    assert [row["n"] for row in batch] == [6, 8]


def test_data_sets_with_rows_of_two_lengths_are_ragged_together() -> None:
    longer = datasets.Dataset.from_dict(
        {"input_ids": [row * 2 for row in tokens(1)], "n": list(range(NUM_ROWS))}
    )
    check([even(0), longer, even(2)])


def test_a_source_without_rows_does_not_count() -> None:
    reader = BatchReader([(), even(1), []])
    batch = reader.read(np.array([1, 1]), np.array([5, 6]))
    assert isinstance(batch, TokenBatch)
    assert [row["n"] for row in batch] == [5, 6]


class TestCollators:
    """Those of others see ordinary rows; ours sees none at all."""

    reader = BatchReader([even(seed).select_columns("input_ids") for seed in range(3)])

    def batch(self) -> list[Any]:
        return self.reader.read(SOURCES, ROWS)

    @property
    def expected(self) -> torch.Tensor:
        return torch.tensor([tokens(s)[r] for s, r in zip(SOURCES, ROWS, strict=True)])

    @pytest.mark.parametrize("collate", [MixCollator(), default_data_collator])
    def test_tensors(self, collate: Callable[[list[Any]], dict[str, torch.Tensor]]) -> None:
        assert torch.equal(collate(self.batch())["input_ids"], self.expected)

    def test_padding_language_models(self) -> None:
        tokenizer = tiny_tokenizer()
        collate = DataCollatorForLanguageModeling(tokenizer, mlm=False, pad_to_multiple_of=8)
        batch = collate(self.batch())
        assert torch.equal(batch["input_ids"][:, :6], self.expected)
        assert batch["labels"][:, 6:].unique().tolist() == [-100]

    def test_torch_without_a_collator(self) -> None:
        sources = [even(seed).with_format("torch") for seed in range(3)]
        reader = BatchReader(sources)

        class Rows:
            def __len__(self) -> int:
                return len(ROWS)

            def __getitems__(self, slots: list[int]) -> list[Any]:
                return reader.read(SOURCES[slots], ROWS[slots])

        (batch,) = DataLoader(Rows(), batch_size=len(ROWS))  # type: ignore[arg-type]
        assert torch.equal(batch["input_ids"], self.expected)


def tiny_tokenizer() -> Any:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"[PAD]": 0, "a": 1}, unk_token="a")),
        pad_token="[PAD]",
    )
