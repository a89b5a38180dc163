"""A data set around a mix: what shuffles it is refused, and what reads it in order is not."""

import gc
import random
from collections.abc import Callable, Iterator
from copy import copy
from itertools import islice
from typing import Any
from unittest import mock

import datasets
import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    get_worker_info,
    random_split,
)

from collapse_guard import MixGuard, MixOrderError
from collapse_guard.integrations import as_hf_dataset
from collapse_guard.mixing.loaders.fetching import Fetching
from collapse_guard.mixing.loaders.single_reads import SingleReads
from tests.mixing.conftest import batches_of
from tests.mixing.streams import Worker

SLOTS = 400
NAME = "collapse_guard.mixing.loaders.single_reads"
STARTS = "collapse_guard.mixing.loaders.worker_starts"


def make_mix() -> MixGuard:
    return MixGuard(range(300), range(1000, 1300), human_fraction=0.3, block_size=8, length=400)


class Around(Dataset[Any]):
    """As users write it, to do something with each row."""

    def __init__(self, mix: Any, per_item: int = 1) -> None:
        self.mix, self.per_item = mix, per_item

    def __len__(self) -> int:
        return len(self.mix) // self.per_item

    def __getitem__(self, item: int) -> Any:
        first = item * self.per_item
        return [self.mix[slot] for slot in range(first, first + self.per_item)]


class Twice(Around):
    def __getitem__(self, item: int) -> Any:
        return [self.mix[item], self.mix[item]][1:]


class Permuted(Around):
    """Shuffles by itself, whatever the loader does."""

    def __getitem__(self, item: int) -> Any:
        return [self.mix[item * 77 % SLOTS]]


class Streamed(IterableDataset[Any]):
    def __init__(self, mix: Any, order: Callable[[], list[int]]) -> None:
        self.mix, self.order = mix, order

    def __iter__(self) -> Iterator[Any]:
        return ([self.mix[slot]] for slot in self.order())


def part_of_a_worker() -> list[int]:
    info = get_worker_info()
    number, workers = (0, 1) if info is None else (info.id, info.num_workers)
    size = SLOTS // workers
    return list(range(number * size, (number + 1) * size))


def stride_of_a_worker() -> list[int]:
    info = get_worker_info()
    return list(range(SLOTS) if info is None else range(info.id, SLOTS, info.num_workers))


def shuffled() -> list[int]:
    return random.Random(3).sample(range(SLOTS), SLOTS)


def strided(mix: Any) -> Any:
    return Subset(mix, range(0, SLOTS, 2))


def gapped(mix: Any) -> Any:
    return Subset(mix, [slot for slot in range(SLOTS) if slot % 5])


SHUFFLED: dict[str, Callable[[Any], tuple[Any, bool]]] = {
    "around": lambda mix: (Around(mix), True),
    "permuted": lambda mix: (Permuted(mix), False),
    "two a time": lambda mix: (Around(mix, 2), True),
    "concatenated": lambda mix: (ConcatDataset([mix, list(range(40))]), True),
    "subset": lambda mix: (Subset(mix, range(300)), True),
    "subset of around": lambda mix: (Subset(Around(mix), range(300)), True),
    "split": lambda mix: (random_split(mix, [300, 100])[0], False),
    "split around": lambda mix: (random_split(Around(mix), [300, 100])[0], False),
    "stride": lambda mix: (strided(mix), False),
    "stride around": lambda mix: (strided(Around(mix)), False),
    "gaps": lambda mix: (gapped(mix), False),
    "gaps around": lambda mix: (gapped(Around(mix)), False),
    "streamed": lambda mix: (Streamed(mix, shuffled), False),
}

IN_ORDER: dict[str, Callable[[Any], Any]] = {
    "around": Around,
    "twice": Twice,
    "two a time": lambda mix: Around(mix, 2),
    "three a time": lambda mix: Around(mix, 3),
    "concatenated": lambda mix: ConcatDataset([mix, list(range(40))]),
    "concatenated behind": lambda mix: ConcatDataset([list(range(41)), mix]),
    "subset": lambda mix: Subset(mix, range(3, 300)),
    "subset of around": lambda mix: Subset(Around(mix), range(3, 300)),
    "streamed": lambda mix: Streamed(mix, part_of_a_worker),
}


@pytest.mark.parametrize(("batch_size", "num_workers"), [(8, 0), (1, 0), (2, 0), (8, 2), (1, 2)])
@pytest.mark.parametrize("name", SHUFFLED)
def test_what_is_shuffled_is_refused_at_once(name: str, batch_size: int, num_workers: int) -> None:
    data, shuffle = SHUFFLED[name](make_mix())
    more = {} if isinstance(data, IterableDataset) else {"shuffle": shuffle}
    torch.manual_seed(5)
    loader = DataLoader(data, batch_size, num_workers=num_workers, collate_fn=list, **more)
    # A gap shows where it is.
    most = 2 if "gaps" not in name else 1 + 5 // batch_size
    most += 2 * num_workers if batch_size < 5 else 0
    with batches_of(loader) as batches, pytest.raises(MixOrderError, match="shuffle=False"):
        list(islice(batches, most))


@pytest.mark.parametrize(("batch_size", "num_workers"), [(8, 0), (1, 0), (8, 2), (1, 2), (3, 2)])
@pytest.mark.parametrize("name", IN_ORDER)
def test_what_is_read_in_order_is_read(name: str, batch_size: int, num_workers: int) -> None:
    mix = make_mix()
    data = IN_ORDER[name](mix)
    loader = DataLoader(
        data,
        batch_size,
        num_workers=num_workers,
        collate_fn=list,
        persistent_workers=num_workers > 0,
    )
    for _ in range(2):
        shown = sum(len(batch) for batch in loader)
        assert shown == (SLOTS if name == "streamed" else len(data))


def test_without_batches_too() -> None:
    mix = make_mix()
    assert list(DataLoader(mix, batch_size=None, collate_fn=int)) == list(mix)
    with pytest.raises(MixOrderError):
        list(islice(DataLoader(mix, batch_size=None, shuffle=True, collate_fn=int), 2))


def test_people_and_collators_look_at_any_row() -> None:
    mix = make_mix()
    seen = [mix[slot] for slot in random.Random(1).sample(range(SLOTS), SLOTS)]
    assert sorted(seen) == sorted(mix[slot] for slot in range(SLOTS))

    def collate(rows: list[Any]) -> list[Any]:
        return [*rows, mix[SLOTS - 1 - len(rows)], mix[7]]

    for data in (mix, Around(mix)):
        assert len(list(DataLoader(data, 8, collate_fn=collate))) == SLOTS // 8
    loader = iter(DataLoader(Around(mix), 8, collate_fn=list))
    for _ in range(SLOTS // 8):
        assert len(next(loader)) == 8
        assert mix[300] == mix[300]


def test_two_loaders_take_turns() -> None:
    mix = make_mix()
    train, look = (iter(DataLoader(Around(mix), size, collate_fn=list)) for size in (8, 5))
    for _ in range(20):
        assert len(next(train)) == 8
        assert len(next(look)) == 5


@pytest.mark.parametrize("start", [3, 20])
@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_run_goes_on_anywhere(start: int, num_workers: int) -> None:
    data = Around(make_mix())
    later = list(BatchSampler(SequentialSampler(data), 8, drop_last=False))[start:]
    loader = DataLoader(data, batch_sampler=later, num_workers=num_workers, collate_fn=list)
    assert sum(len(batch) for batch in loader) == SLOTS - 8 * start


@pytest.mark.parametrize("per_item", [1, 3])
@pytest.mark.parametrize("num_workers", [0, 2])
def test_processes_share_the_slots(
    per_item: int, num_workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    for rank in range(4):
        data = Around(make_mix(), per_item)
        sampler = DistributedSampler(data, 4, rank, shuffle=False)
        loader = DataLoader(data, 5, sampler=sampler, num_workers=num_workers, collate_fn=list)
        assert sum(len(batch) for batch in loader) == -(-len(data) // 4)
        sampler = DistributedSampler(data, 4, rank, shuffle=True)
        loader = DataLoader(data, 5, sampler=sampler, num_workers=num_workers, collate_fn=list)
        with batches_of(loader) as batches, pytest.raises(MixOrderError):
            list(islice(batches, 2))
        batches_in_order = BatchSampler(SequentialSampler(data), 5, drop_last=False)
        shard = BatchSamplerShard(batches_in_order, num_processes=4, process_index=rank)
        loader = DataLoader(data, batch_sampler=shard, num_workers=num_workers, collate_fn=list)
        assert len(list(loader)) == -(-len(data) // 20)
        random_batches = BatchSampler(RandomSampler(data), 5, drop_last=False)
        shard = BatchSamplerShard(random_batches, num_processes=4, process_index=rank)
        loader = DataLoader(data, batch_sampler=shard, num_workers=num_workers, collate_fn=list)
        with batches_of(loader) as batches, pytest.raises(MixOrderError):
            list(islice(batches, 2))


def test_a_stride_of_workers_would_void_the_floor() -> None:
    loader = DataLoader(Streamed(make_mix(), stride_of_a_worker), 8, num_workers=2, collate_fn=list)
    with batches_of(loader) as batches, pytest.raises(MixOrderError):
        next(batches)


def test_a_mix_as_a_hugging_face_data_set_is_watched_as_well() -> None:
    rows = datasets.Dataset.from_dict({"n": list(range(100))})
    data = as_hf_dataset(MixGuard(rows, rows, human_fraction=0.5, block_size=4))
    assert [data[slot]["n"] for slot in (7, 3, 90, -1)]
    for around in (Around(data), Around(data.with_format("numpy"))):
        assert len(list(DataLoader(around, 4, collate_fn=list))) == 50
        with pytest.raises(MixOrderError):
            next(iter(DataLoader(around, 4, shuffle=True, collate_fn=list)))


@pytest.mark.slow
def test_spawned_workers_are_watched_as_well() -> None:
    for shuffle in (False, True):
        loader = DataLoader(
            Around(make_mix()),
            4,
            shuffle=shuffle,
            num_workers=2,
            collate_fn=list,
            multiprocessing_context="spawn",
        )
        if not shuffle:
            assert len(list(loader)) == SLOTS // 4
            continue
        with batches_of(loader) as batches, pytest.raises(MixOrderError):
            list(islice(batches, 2))


def test_no_loader_is_kept_alive() -> None:
    mix = make_mix()
    for _ in range(3):
        list(DataLoader(Around(mix), 8, collate_fn=list))
    gc.collect()
    assert len(mix._singles._runs) == 0


class WorkersOf:
    """The workers of one loader, which are asked in this process: each has a copy, and one memory.

    In processes of their own they are watched as well, which the tests above show.
    """

    def __init__(self, num_workers: int, data: Any = None) -> None:
        watched = SingleReads(SLOTS)
        self.singles = [copy(watched) for _ in range(num_workers)]
        self.fetchers = [mock.Mock(dataset=data) for _ in range(num_workers)]

    def ask(self, worker: int, slots: list[int]) -> None:
        """Have a worker read these slots, as one batch of that many items."""
        batch = list(slots)
        told = Worker(worker, len(self.singles))
        with (
            mock.patch(f"{NAME}.fetching", return_value=Fetching(self.fetchers[worker], batch)),
            mock.patch(f"{NAME}.get_worker_info", return_value=told),
            mock.patch(f"{STARTS}._loader_number", return_value=9),
        ):
            for slot in slots:
                self.singles[worker].check(slot)


def test_first_batches_of_workers_lie_side_by_side() -> None:
    workers = WorkersOf(3)
    # They begin in any order, and anywhere.
    for worker in (2, 0, 1):
        workers.ask(worker, list(range(40 + 4 * worker, 44 + 4 * worker)))
    for worker in range(3):
        workers.ask(worker, list(range(52 + 4 * worker, 56 + 4 * worker)))


@pytest.mark.parametrize("first", [41, 43, 45, 47])
def test_a_worker_that_begins_elsewhere_is_refused(first: int) -> None:
    workers = WorkersOf(2)
    workers.ask(0, [40, 41, 42, 43])
    with pytest.raises(MixOrderError, match=f"slots 40, {first} one after"):
        workers.ask(1, [first, first + 1, first + 2, first + 3])


def test_each_worker_goes_its_own_way_through_a_stream() -> None:
    workers = WorkersOf(2, Streamed(None, part_of_a_worker))
    workers.ask(0, [0, 1, 2, 3])
    workers.ask(1, [201, 202, 203, 204])
