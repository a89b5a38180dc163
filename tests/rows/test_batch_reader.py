"""Against reading each row from its own data set, one by one."""

from collections.abc import Callable
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from transformers import DataCollatorForLanguageModeling, default_data_collator

from collapse_guard.errors import ArgumentError
from collapse_guard.rows.batch_reader import BatchReader
from collapse_guard.rows.collate import MixCollator
from collapse_guard.rows.row_source import RowSource
from collapse_guard.rows.token_batch import TokenBatch
from tests.rows.data_sets import NUM_ROWS, ROWS, SOURCES, check, even, negated, tokens, with_floats


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


def more(rows: dict[str, list[int]]) -> dict[str, list[int]]:
    return {"n": [n for n in rows["n"] for _ in range(1 + n % 2)]}


def fewer(rows: dict[str, list[int]]) -> dict[str, list[int]]:
    return {"n": [n for n in rows["n"] if n % 2]}


def more_of_one_column(rows: dict[str, list[int]]) -> dict[str, list[int]]:
    return {"n": rows["n"], "m": rows["n"] * 2}


class TestAnotherNumberOfRows:
    """A transform that makes more or fewer rows than it is given."""

    @pytest.mark.parametrize(
        ("transform", "asked", "given"), [(more, 2, 4), (fewer, 2, 0), (fewer, 1, 0)]
    )
    def test_names_its_source(self, transform: Any, asked: int, given: int) -> None:
        whole, other = even(0).with_transform(transform), even(1)
        number = 3 if given else 8
        batch = np.array([0, *[1] * asked]), np.array([3, *[number] * asked])
        # Together with one of the same transform, and by themselves.
        for beside in (other.with_transform(transform), [{"n": n} for n in range(NUM_ROWS)]):
            reader = BatchReader([beside, whole], ["beside", "web"])
            with pytest.raises(ArgumentError) as caught:
                reader.read(*batch)
            name = "beside" if given and isinstance(beside, datasets.Dataset) else "web"
            told = f"`{name}` expected one row for each that is asked for, "
            assert told in str(caught.value)
            assert "dataset.map(transform" in str(caught.value)
        assert f"{asked} here, but got '{given} rows'" in str(caught.value)

    def test_columns_of_several_lengths_are_refused(self) -> None:
        reader = BatchReader([even(0).with_transform(more_of_one_column)] * 2)
        with pytest.raises(ArgumentError, match="2 here, but got '4 rows'"):
            reader.read(np.array([0, 1]), np.array([3, 8]))

    def test_is_refused_of_any_data_set(self) -> None:
        class Pairs:
            def __len__(self) -> int:
                return 9

            def __getitems__(self, numbers: list[int]) -> list[int]:
                return [n for n in numbers for _ in range(2)]

            def __getitem__(self, number: int) -> int:
                return number

        with pytest.raises(ArgumentError, match=r"`web` expected one row .* 1 here, but got '2 ro"):
            BatchReader([Pairs()], ["web"]).read(np.array([0]), np.array([3]))
        with pytest.raises(ArgumentError, match=r"`web` expected one row .* 2 here, but got '4 ro"):
            RowSource("web", Pairs()).read([3, 4])
