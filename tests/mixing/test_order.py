from itertools import pairwise

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
from collapse_guard.mixing.order import OrderCheck, check_loader


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

    def test_a_shuffled_stream_is_refused_at_the_third(self) -> None:
        order = OrderCheck(100)
        order.check([42])
        order.check([7])
        with pytest.raises(MixOrderError, match="slots 7, 66 one after another"):
            order.check([66])

    def test_processes_take_turns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WORLD_SIZE", "2")
        order = OrderCheck(100)
        for slot in [1, 3, 5, 7]:
            order.check([slot])

    def test_workers_take_turns(self) -> None:
        rows = SlowlyMixed()
        loader = DataLoader(rows, batch_size=1, shuffle=False, num_workers=2)
        assert [batch.item() for batch in loader] == list(range(12))

    def test_batches_of_several_start_anew(self) -> None:
        order = OrderCheck(100)
        order.check([50])
        order.check([51, 52])
        order.check([70])


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

    def test_no_random_number_is_drawn(self) -> None:
        loader = DataLoader(self.rows, sampler=RandomSampler(self.rows))
        before = torch.get_rng_state()
        with pytest.raises(MixOrderError):
            check_loader(loader)
        assert torch.equal(before, torch.get_rng_state())
