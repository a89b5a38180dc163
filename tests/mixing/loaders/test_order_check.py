import os
from collections.abc import Sequence
from copy import copy
from itertools import islice, pairwise
from unittest import mock

import numpy as np
import pytest
import torch
from accelerate.data_loader import BatchSamplerShard, SeedableRandomSampler, SkipBatchSampler
from hypothesis import given, strategies as st
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
)

from collapse_guard.errors import MixOrderError
from collapse_guard.mixing.loaders.order_check import OrderCheck, check_loader
from tests.mixing.conftest import batches_of
from tests.mixing.streams import Worker

NAME = "collapse_guard.mixing.loaders.order_check"
STARTS = "collapse_guard.mixing.loaders.worker_starts"


@given(start=st.integers(0, 99), size=st.integers(2, 30))
def test_runs_are_let_through_also_over_the_end(start: int, size: int) -> None:
    OrderCheck(100).check([(start + i) % 100 for i in range(size)])


@given(slots=st.lists(st.integers(0, 99), min_size=2, max_size=30))
def test_everything_else_is_refused(slots: list[int]) -> None:
    if all(b == (a + 1) % 100 for a, b in pairwise(slots)):
        return
    with pytest.raises(MixOrderError, match='train_sampling_strategy="sequential"'):
        OrderCheck(100).check(slots)


def test_the_error_shows_the_slots_and_says_what_to_set() -> None:
    with pytest.raises(MixOrderError) as caught:
        OrderCheck(100).check([17, 3, 40, 8, 9, 10, 11])
    message = str(caught.value)
    assert "slots 17, 3, 40, 8, 9, 10, ... " in message
    for remedy in ("TrainingArguments(", "shuffle=False", "use_distributed_sampler=False"):
        assert remedy in message


def test_dealt_out_slots_are_let_through_where_there_are_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(MixOrderError):
        OrderCheck(100).check([1, 5, 9])
    monkeypatch.setenv("WORLD_SIZE", "4")
    OrderCheck(100).check([1, 5, 9])
    OrderCheck(100).check([1, 2, 3])
    OrderCheck(100).check([1, 3, 5])  # two groups of two processes on the same rows
    with pytest.raises(MixOrderError):
        OrderCheck(100).check([1, 4, 7])


class TestSingleSlots:
    def test_running_on_is_let_through(self) -> None:
        order = OrderCheck(10)
        for slot in [*range(10), *range(10)]:
            order.check([slot])

    def test_a_resume_and_a_new_start_are_let_through(self) -> None:
        order = OrderCheck(100)
        for slot in [0, 1, 2, 57, 58, 59, 0, 1, 0, 0, 0, 31, 32]:
            order.check([slot])

    @pytest.mark.parametrize("shuffled", [[42, 7], [0, 42, 7], [41, 42, 7, 66]])
    def test_a_shuffled_stream_is_refused_as_soon_as_it_shows(self, shuffled: list[int]) -> None:
        order = OrderCheck(100)
        for slot in shuffled[:-1]:
            order.check([slot])
        with pytest.raises(MixOrderError, match="slots {}, {} one after".format(*shuffled[-2:])):
            order.check(shuffled[-1:])

    def test_processes_take_turns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WORLD_SIZE", "2")
        order = OrderCheck(100)
        for slot in [1, 3, 5, 7]:
            order.check([slot])

    def test_workers_take_turns(self) -> None:
        rows = SlowlyMixed()
        loader = DataLoader(rows, batch_size=1, shuffle=False, num_workers=2)
        assert [batch.item() for batch in loader] == list(range(12))


class TestFromBatchToBatch:
    def test_whole_batches_that_are_shuffled_are_refused(self) -> None:
        order = OrderCheck(100)
        order.check([40, 41, 42, 43])
        with pytest.raises(MixOrderError, match="slots 43, 8 one after another"):
            order.check([8, 9, 10, 11])

    def test_a_run_may_be_left_off_for_another(self) -> None:
        order = OrderCheck(100)
        for first in [0, 4, 8, 60, 64, 40, 44, 0, 32, 36, 40, 16, 20]:
            order.check(range(first, first + 4))

    @pytest.mark.parametrize("shuffled", [[0, 4, 40, 44, 80], [40, 44, 60]])
    def test_runs_that_are_shuffled_are_refused(self, shuffled: list[int]) -> None:
        order = OrderCheck(100)
        for first in shuffled[:-1]:
            order.check(range(first, first + 4))
        with pytest.raises(MixOrderError, match=f", {shuffled[-1]} one after another"):
            order.check(range(shuffled[-1], shuffled[-1] + 4))

    def test_the_last_batch_may_be_short_or_filled_up(self) -> None:
        for last in ([8, 9], [8, 9, 0, 1]):
            order = OrderCheck(10)
            for slots in [range(4), range(4, 8), last, range(4), range(4, 8)]:
                order.check(slots)

    def test_the_second_half_of_a_split_last_batch_may_come_from_the_beginning(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WORLD_SIZE", "2")
        order = OrderCheck(20)
        for slots in ([4, 5, 6, 7], [12, 13, 14, 15], [0, 1, 2, 3], [4, 5, 6, 7]):
            order.check(slots)

    @given(
        world=st.integers(1, 4),
        size=st.integers(1, 5),
        rank=st.integers(0, 3),
        skipped=st.integers(0, 5),
    )
    def test_what_accelerate_deals_out_passes_and_no_other_order_of_it(
        self, world: int, size: int, rank: int, skipped: int
    ) -> None:
        batches = BatchSampler(SequentialSampler(range(200)), size, drop_last=False)
        shard = list(BatchSamplerShard(batches, world, rank % world))[skipped:]
        with mock.patch.dict(os.environ, WORLD_SIZE=str(world)):
            order = OrderCheck(200)
            for slots in shard:
                order.check(slots)
            order = OrderCheck(200)
            order.check(shard[-2])
            with pytest.raises(MixOrderError):
                order.check(shard[-3])

    def test_a_worker_reads_for_one_run_only(self) -> None:
        loader = DataLoader(
            SlowlyMixed(), batch_sampler=[[0, 1], [2, 3], [4, 5], [6, 7], [2, 3]], num_workers=1
        )
        with pytest.raises(MixOrderError, match="slots 7, 2 one after another"):
            list(loader)


class TestWorkers:
    """Each sees a part of the batches only; together they see all of them."""

    @pytest.mark.usefixtures("_impatient")
    @pytest.mark.parametrize(
        ("batches", "context"),
        [
            ([[7], [3], [9]], "fork"),
            ([[6, 7], [0, 1]], "fork"),
            pytest.param([[7], [3], [9]], "spawn", marks=pytest.mark.slow),
        ],
    )
    def test_a_shuffled_loader_is_refused_at_its_second_batch(
        self, batches: list[list[int]], context: str
    ) -> None:
        loader = DataLoader(
            SlowlyMixed(), batch_sampler=batches, num_workers=2, multiprocessing_context=context
        )
        with batches_of(loader) as read, pytest.raises(MixOrderError, match="one after another"):
            list(islice(read, 2))

    @pytest.mark.parametrize("skipped", [0, 1, 2, 5])
    def test_a_resumed_loader_is_let_through(self, skipped: int) -> None:
        batches = BatchSampler(SequentialSampler(range(12)), 1, drop_last=False)
        rows = SlowlyMixed()
        for _ in range(2):
            loader = DataLoader(
                rows, batch_sampler=SkipBatchSampler(batches, skipped), num_workers=2
            )
            assert [batch.item() for batch in loader] == list(range(skipped, 12))

    def test_what_their_parent_has_read_does_not_count(self) -> None:
        batches = BatchSampler(SequentialSampler(range(12)), 1, drop_last=False)
        rows = SlowlyMixed()
        rows.order.check([9])
        loader = DataLoader(rows, batch_sampler=SkipBatchSampler(batches, 4), num_workers=2)
        assert [batch.item() for batch in loader] == list(range(4, 12))

    def test_workers_that_live_on_are_let_through_again(self) -> None:
        loader = DataLoader(SlowlyMixed(), batch_size=1, num_workers=2, persistent_workers=True)
        for _ in range(2):
            assert [batch.item() for batch in loader] == list(range(12))


class SlowlyMixed(Dataset[int]):
    """Slot numbers for rows, behind an order check."""

    def __init__(self) -> None:
        self.order = OrderCheck(12)

    def __len__(self) -> int:
        return 12

    def __getitem__(self, slot: int) -> int:
        return slot

    def __getitems__(self, slots: list[int]) -> list[int]:
        self.order.check(slots)
        return slots


class TestCheckLoader:
    rows = SlowlyMixed()

    def test_sequential_loaders_pass(self) -> None:
        batches = BatchSampler(SequentialSampler(self.rows), 2, drop_last=False)
        dealt: DistributedSampler[int] = DistributedSampler(
            self.rows, num_replicas=2, rank=0, shuffle=False
        )
        check_loader(DataLoader(self.rows, batch_size=1))
        check_loader(DataLoader(self.rows, batch_size=None))
        check_loader(DataLoader(self.rows, sampler=dealt))
        check_loader(DataLoader(self.rows, batch_sampler=BatchSamplerShard(batches, 2, 0)))
        check_loader(DataLoader(self.rows, batch_sampler=SkipBatchSampler(batches, 2)))

    def test_shuffling_loaders_are_refused_by_the_name_of_their_sampler(self) -> None:
        shuffled = BatchSampler(SeedableRandomSampler(self.rows), 1, drop_last=False)
        dealt: DistributedSampler[int] = DistributedSampler(self.rows, num_replicas=2, rank=0)
        for name, loader in {
            "RandomSampler": DataLoader(self.rows, shuffle=True),
            "DistributedSampler": DataLoader(self.rows, sampler=dealt),
            "SeedableRandomSampler": DataLoader(
                self.rows, batch_sampler=BatchSamplerShard(shuffled, 2, 0)
            ),
            "list": DataLoader(self.rows, sampler=[3, 1, 2]),
        }.items():
            with pytest.raises(MixOrderError, match=f"read through {name}, "):
                check_loader(loader)

    def test_workers_that_hand_over_batches_as_they_come_are_refused(self) -> None:
        check_loader(DataLoader(self.rows, in_order=False))
        with pytest.raises(MixOrderError, match="in_order=False"):
            check_loader(DataLoader(self.rows, num_workers=2, in_order=False))

    def test_no_random_number_is_drawn(self) -> None:
        loader = DataLoader(self.rows, sampler=RandomSampler(self.rows))
        before = torch.get_rng_state()
        with pytest.raises(MixOrderError):
            check_loader(loader)
        assert torch.equal(before, torch.get_rng_state())


def test_a_process_whose_only_batch_is_the_short_last_one_begins_there_each_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    order = OrderCheck(16)
    for _ in range(3):
        order.check(range(12, 16))
        order.check(range(12, 16))


def test_slots_may_come_as_an_array() -> None:
    order = OrderCheck(64)
    for first in (0, 8, 16):
        order.check(np.arange(first, first + 8))
    with pytest.raises(MixOrderError):
        order.check(torch.tensor([40, 3, 7]))


class WorkersOf:
    """The workers of one loader, which are asked in this process: each has a copy, and one memory.

    In processes of their own they are watched as well, which the tests above show.
    """

    def __init__(self, num_workers: int) -> None:
        checked = OrderCheck(100)
        self.orders = [copy(checked) for _ in range(num_workers)]

    def ask(self, worker: int, slots: Sequence[int]) -> None:
        told = Worker(worker, len(self.orders))
        with (
            mock.patch(f"{NAME}.get_worker_info", return_value=told),
            mock.patch(f"{STARTS}._loader_number", return_value=9),
        ):
            self.orders[worker].check(slots)


@pytest.mark.parametrize("begins", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_workers_begin_side_by_side_in_any_order_and_read_on(begins: tuple[int, ...]) -> None:
    workers = WorkersOf(3)
    for turn in range(4):
        for place, worker in enumerate(begins):
            first = 40 + 4 * (3 * turn + place)
            workers.ask(worker, range(first, first + 4))


@pytest.mark.parametrize("first", [36, 41, 43, 45, 48])
def test_a_worker_that_begins_elsewhere_is_refused(first: int) -> None:
    workers = WorkersOf(3)
    workers.ask(0, range(40, 44))
    # Of three workers the next begins 4 slots further on, or two workers' batches before.
    if first == 36:
        workers.ask(2, range(first, first + 4))
        return
    with pytest.raises(MixOrderError, match=f"slots 40, {first} one after another"):
        workers.ask(1, range(first, first + 4))


def test_a_forked_worker_forgets_what_its_parent_has_read() -> None:
    order = OrderCheck(100)
    order.check(range(60, 64))
    with mock.patch(f"{NAME}.os.getpid", return_value=-1):
        order.check(range(20, 24))
    order = OrderCheck(100)
    order.check(range(60, 64))
    with pytest.raises(MixOrderError, match="slots 63, 20 one after another"):
        order.check(range(20, 24))


def test_samplers_around_themselves_come_to_an_end() -> None:
    class Around:
        @property
        def sampler(self) -> "Around":
            return self

    loader = mock.Mock(spec=DataLoader, num_workers=0, batch_sampler=None, dataset=[])
    loader.sampler = Around()
    with pytest.raises(MixOrderError, match="read through Around, "):
        check_loader(loader)


def test_slots_may_be_any_whole_numbers() -> None:
    order = OrderCheck(100)
    order.check([np.int64(4), np.int32(5)])
    order.check([6, True + 6])
    with pytest.raises(MixOrderError, match="slots 9, 4 one after another"):
        order.check([np.int64(9), 4])
