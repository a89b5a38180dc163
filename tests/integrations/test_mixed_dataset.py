"""A mixed stream as a Hugging Face data set: what it shows, keeps, and refuses."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from torch.utils.data import DataLoader

from collapse_guard import ArgumentError, MixGuard, MixOrderError
from collapse_guard.integrations import as_hf_dataset
from collapse_guard.integrations.mixed_dataset import MixedDataset
from tests.mixing.conftest import batches_of, make_rows

HUMAN, SYNTHETIC = 1, 2


def in_memory(mark: int, count: int) -> datasets.Dataset:
    return datasets.Dataset.from_list(make_rows(mark, count))


def selected(mark: int, count: int) -> datasets.Dataset:
    return in_memory(mark, 2 * count).shuffle(seed=0).select(range(count))


def make_guard(make: Callable[[int, int], Any] = in_memory) -> MixGuard:
    return MixGuard(
        make(HUMAN, 20), make(SYNTHETIC, 60), human_fraction=0.3, block_size=8, length=40, epochs=2
    )


def rows_of(guard: MixGuard) -> list[Any]:
    return [guard[slot] for slot in range(len(guard))]


@pytest.mark.parametrize("make", [in_memory, selected, make_rows])
def test_row_i_belongs_into_slot_i(make: Callable[[int, int], Any]) -> None:
    guard = make_guard(make)
    mixed = as_hf_dataset(guard)
    assert isinstance(mixed, MixedDataset)
    assert list(mixed) == rows_of(guard)


def test_lists_take_the_types_of_the_data_set_that_they_are_mixed_with() -> None:
    human = in_memory(HUMAN, 20).cast_column("input_ids", datasets.List(datasets.Value("int32")))
    guard = MixGuard(human, make_rows(SYNTHETIC, 60), human_fraction=0.3, block_size=8)
    assert as_hf_dataset(guard).features == human.features


def test_rows_without_columns_are_refused() -> None:
    guard = MixGuard(range(20), range(20), human_fraction=0.5, block_size=2)
    with pytest.raises(ArgumentError, match="`rows` expected rows with column names"):
        as_hf_dataset(guard)


KEPT: dict[str, Callable[[Any], Any]] = {
    "map": lambda data: data.map(lambda row: {"n": row["input_ids"][1]}),
    "batched map": lambda data: data.map(lambda rows: {"n": rows["input_ids"]}, batched=True),
    "map in processes": lambda data: data.map(lambda row: {"n": 1}, num_proc=2),
    "filter that drops nothing": lambda data: data.filter(lambda row: True),
    "cast": lambda data: data.cast_column("input_ids", datasets.List(datasets.Value("int16"))),
    "format": lambda data: data.with_format("numpy"),
    "rename": lambda data: data.rename_column("input_ids", "ids"),
    "add": lambda data: data.add_column("n", range(len(data))),
    "flatten": lambda data: data.flatten_indices(),
    "copy": copy.deepcopy,
    "pickle": lambda data: pickle.loads(pickle.dumps(data)),
}


@pytest.mark.parametrize("change", KEPT.values(), ids=KEPT.keys())
def test_changes_that_keep_the_rows_keep_the_watch(change: Callable[[Any], Any]) -> None:
    guard = make_guard()
    changed = change(as_hf_dataset(guard))
    assert isinstance(changed, MixedDataset)
    column = "ids" if "ids" in changed.column_names else "input_ids"
    rows = [list(row[column]) for row in changed]
    assert rows == [row["input_ids"] for row in rows_of(guard)]
    assert len(list(DataLoader(changed, 8, collate_fn=list))) == 10
    with pytest.raises(MixOrderError, match="slots 3, 1 one after another"):
        changed.__getitems__([3, 1])


REFUSED: dict[str, Callable[[Any], Any]] = {
    "shuffle": lambda data: data.shuffle(seed=0),
    "select": lambda data: data.select([0, 1]),
    "sort": lambda data: data.add_column("n", range(len(data))).sort("n", reverse=True),
    "shard": lambda data: data.shard(2, 0),
    "take": lambda data: data.take(4),
    "skip": lambda data: data.skip(4),
    "split": lambda data: data.train_test_split(0.5),
    "filter": lambda data: data.filter(lambda row: row["input_ids"][0] == SYNTHETIC),
    "repeat": lambda data: data.repeat(2),
    "add a row": lambda data: data.add_item({"input_ids": [1, 1]}),
    "batch": lambda data: data.batch(4),
    "merging map": lambda data: data.map(
        lambda rows: {"ids": rows["input_ids"][:1]},
        batched=True,
        remove_columns=["input_ids"],
    ),
    "packing as many rows as there were": lambda data: data.map(
        lambda rows: {
            "ids": rows["input_ids"][::-1],
            "seq_lengths": [[2]] * len(rows["input_ids"]),
        },
        batched=True,
        remove_columns=["input_ids"],
    ),
}


def test_it_knows_its_mix_and_copies_do_not_carry_the_sources() -> None:
    guard = make_guard()
    mixed = as_hf_dataset(guard)
    assert mixed.guard is mixed.map(lambda row: {"n": 1}).guard is guard
    for made in (copy.deepcopy, lambda data: pickle.loads(pickle.dumps(data))):
        assert made(mixed).guard is None
    assert mixed.guard is guard


@pytest.mark.filterwarnings("ignore:Specifying null_placement:FutureWarning")
@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED.keys())
def test_changes_that_would_void_the_floor_are_refused(change: Callable[[Any], Any]) -> None:
    with pytest.raises(MixOrderError, match="human and the synthetic rows"):
        change(as_hf_dataset(make_guard()))


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("batch_size", [1, 8])
def test_shuffling_loaders_are_refused(num_workers: int, batch_size: int) -> None:
    mixed = as_hf_dataset(make_guard())
    loader = DataLoader(mixed, batch_size, shuffle=True, num_workers=num_workers, collate_fn=list)
    with batches_of(loader) as batches, pytest.raises(MixOrderError, match="shuffle=False"):
        (next(batches), next(batches))


def test_a_stored_data_set_comes_back_as_an_ordinary_one(tmp_path: Path) -> None:
    """As its docstring says: the order is kept, the watch is not."""
    guard = make_guard()
    as_hf_dataset(guard).save_to_disk(tmp_path / "mixed")
    loaded = datasets.load_from_disk(tmp_path / "mixed")
    assert type(loaded) is datasets.Dataset
    assert list(loaded) == rows_of(guard)


def test_no_column_is_filled_with_nothing() -> None:
    class Rows:
        """Not a list, which would be looked through before."""

        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> dict[str, Any]:
            return {"input_ids": [index]} if index == 3 else {"input_ids": [index], "labels": [1]}

    guard = MixGuard(Rows(), Rows(), human_fraction=0.5, block_size=2)
    with pytest.raises(ArgumentError, match=r"`human` expected the columns .*in row 3"):
        as_hf_dataset(guard)


def test_a_transform_that_makes_more_rows_is_refused() -> None:
    def doubled(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return {
            name: [value for value in column for _ in range(2)] for name, column in rows.items()
        }

    data = as_hf_dataset(make_guard()).with_transform(doubled)
    with pytest.raises(ArgumentError, match="4 here, but got '8 rows'"):
        next(iter(DataLoader(data, 4, collate_fn=list)))
