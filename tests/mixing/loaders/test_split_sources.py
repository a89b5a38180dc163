"""A mix that each process has made of its own part, and is then dealt a part of, is refused."""

from typing import Any
from unittest import mock

import datasets
import pytest
import torch.distributed as dist
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from collapse_guard import ArgumentError, MixGuard, Source
from collapse_guard.mixing.loaders.split_sources import SplitSources
from tests.processes import on_launched_processes

NAME = "collapse_guard.mixing.loaders.split_sources"
ROWS = [{"n": number} for number in range(40)]


class Opaque(Dataset[Any]):
    """Rows that may be read by the mix alone."""

    def __len__(self) -> int:
        return 20

    def __getitem__(self, number: int) -> Any:
        raise AssertionError


def in_turn(parts: list[Any], slots: list[int], board: dict[int, list[str]] | None = None) -> None:
    """The first batches of two processes, one after another."""
    said = {} if board is None else board

    for rank, (rows, slot) in enumerate(zip(parts, slots, strict=True)):

        def exchanged(place: str, word: str, rank: int = rank) -> Any:
            mine = said.setdefault(rank, [])
            mine.append(word)
            return mine, [words for other, words in said.items() if other != rank]

        with (
            mock.patch(f"{NAME}.exchanged", exchanged),
            mock.patch(f"{NAME}.launched_processes", return_value=2),
        ):
            SplitSources([Source(rows, "web", "human")], 0).check(slot)


def as_dataset(rows: list[Any]) -> datasets.Dataset:
    return datasets.Dataset.from_list(rows)


@pytest.mark.parametrize("made", [list, as_dataset])
def test_parts_of_their_own_are_refused_where_parts_are_dealt(made: Any) -> None:
    for parts in ((ROWS[:20], ROWS[20:]), (ROWS[::2], ROWS[1::2]), (ROWS[:20], ROWS[:19])):
        split = [made(part) for part in parts]
        with pytest.raises(ArgumentError, match="`web` expected the same rows in each process"):
            in_turn(split, [0, 4])
        # Each reads the whole of its own.
        in_turn(split, [0, 0])
    in_turn([made(ROWS), made(ROWS)], [0, 4])


def test_one_process_may_be_ahead_with_another_mix() -> None:
    board: dict[int, list[str]] = {}
    in_turn([ROWS, ROWS], [0, 4], board)
    # The first goes on with a next generation, and the other is still to follow.
    in_turn([ROWS[::-1], ROWS], [0, 4], board)
    in_turn([ROWS[5:], ROWS[::-1]], [0, 4], board)


def test_nothing_of_a_user_s_is_run() -> None:
    def fail(rows: Any) -> Any:
        raise AssertionError

    in_turn([Opaque(), Opaque()], [0, 4])
    in_turn([as_dataset(ROWS).with_transform(fail)] * 2, [0, 4])


def read_split(is_split: bool, num_workers: int) -> str:
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    rows = as_dataset(ROWS).shard(2, rank) if is_split else as_dataset(ROWS)
    mix = MixGuard(rows, rows, human_fraction=0.5, block_size=8, length=40)
    sampler = DistributedSampler(mix, shuffle=False)
    told = ""
    try:
        list(DataLoader(mix, 4, sampler=sampler, num_workers=num_workers, collate_fn=list))
    except ArgumentError as error:
        told = str(error)
    dist.barrier()
    dist.destroy_process_group()
    return told


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [0, 1])
def test_two_processes(tmp_path: Any, num_workers: int) -> None:
    split = on_launched_processes(read_split, tmp_path, True, num_workers)
    assert any("`human` expected the same rows in each process" in told for told in split)
    (tmp_path / "whole").mkdir()
    whole = on_launched_processes(read_split, tmp_path / "whole", False, num_workers)
    assert whole == ["", ""]
