"""Readers that see other rows than each other find it out, and nobody waits."""

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any
from unittest import mock

import pytest
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader

from collapse_guard import ArgumentError, MixStream
from collapse_guard.mixing.loaders.first_rows import FirstRows, exchanged
from tests.mixing.conftest import batches_of
from tests.mixing.streams import HUMAN, SYNTHETIC, Rows, Worker, make_stream
from tests.processes import free_port, on_launched_processes

NAME = "collapse_guard.mixing.loaders.first_rows"
STARTS = "collapse_guard.mixing.loaders.worker_starts"


class OfAProcess(Rows):
    """Split by hand: each process has its own part."""

    def __init__(self, part: int) -> None:
        super().__init__(HUMAN, 40)
        self.part = part

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((self.mark, 1000 * self.part + number) for number in range(self.count))


class Unseeded(Rows):
    """Shuffled with a seed of each worker's own, which torch sets."""

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = random.Random(torch.initial_seed()).sample(range(self.count), self.count)
        return ((self.mark, number) for number in order)


class Augmented(Rows):
    """Changed by chance each time that it is read."""

    def __iter__(self) -> Iterator[Any]:
        return ((*row, random.random()) for row in super().__iter__())


def loaded(human: Any) -> DataLoader[Any]:
    stream = MixStream(
        human, Rows(SYNTHETIC, 60), human_fraction=0.3, block_size=8, batch_size=4, length=80
    )
    return DataLoader(stream, 4, num_workers=2, collate_fn=list)


def test_workers_that_see_other_rows_are_refused() -> None:
    message = "`human` expected the same rows in the same order in each process and worker"
    loader = loaded(Unseeded(HUMAN, 40))
    with batches_of(loader) as batches, pytest.raises(ArgumentError, match=message):
        list(islice(batches, 2))


@pytest.mark.parametrize("kind", [Rows, Augmented])
def test_workers_that_see_the_same_rows_read_on(kind: type[Rows]) -> None:
    loader = loaded(kind(HUMAN, 40))
    for _ in range(2):
        assert sum(map(len, loader)) == 80


class Board:
    """A store that all of them write to."""

    def __init__(self) -> None:
        self.told: dict[str, bytes] = {}

    def set(self, key: str, value: str) -> None:
        self.told[key] = value.encode()

    def get(self, key: str) -> bytes:
        return self.told[key]

    def check(self, keys: list[str]) -> bool:
        return all(key in self.told for key in keys)


@pytest.fixture(autouse=True)
def _nothing_was_said() -> Iterator[None]:
    with mock.patch.dict(f"{NAME}._SAID", clear=True):
        yield


def reader(rank: int, board: Any) -> Any:
    [differs] = FirstRows(1).of_sources({"seed": 0}, is_shared=True)

    def ask(pass_number: int, row: int, digest: str) -> bool:
        with (
            mock.patch(f"{NAME}._store", return_value=board),
            mock.patch(f"{NAME}.launched_processes", return_value=2),
            mock.patch(f"{NAME}.launched_rank", return_value=rank),
        ):
            return differs(pass_number, row, digest)

    return ask


def test_processes_are_compared_where_they_begin_at_the_same_row() -> None:
    first, second = (reader(rank, board) for board in [Board()] for rank in (0, 1))
    assert not first(0, 0, "a")
    assert not second(0, 7, "b")
    assert not second(0, 0, "a")
    assert first(0, 7, "c")


def test_one_process_may_be_ahead_with_a_stream_of_other_rows() -> None:
    board = Board()
    assert not reader(0, board)(0, 0, "a")
    # The rows of a next generation, in a stream with the same arguments.
    assert not reader(0, board)(0, 0, "b")
    assert not reader(1, board)(0, 0, "a")
    assert not reader(1, board)(0, 0, "b")


def test_who_reaches_nobody_sees_nothing() -> None:
    class Broken(Board):
        def set(self, key: str, value: str) -> None:
            raise RuntimeError("the connection is lost")

    for board in (None, Broken()):
        first, second = reader(0, board), reader(1, board)
        assert not first(0, 0, "a")
        assert not second(0, 0, "b")


def read_split(num_workers: int, is_split: bool) -> dict[str, Any]:
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    human = OfAProcess(rank if is_split else 0)
    stream = make_stream(human, length=80, max_repeats=2).shard(2, rank)
    loader = DataLoader(stream, 4, num_workers=num_workers, collate_fn=list)
    told = ""
    try:
        shown = sum(map(len, loader))
    except ArgumentError as error:
        shown, told = 0, str(error)
    dist.barrier()
    dist.destroy_process_group()
    return {"shown": shown, "told": told}


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [0, 2])
def test_processes_with_parts_of_their_own_are_refused(tmp_path: Any, num_workers: int) -> None:
    split = on_launched_processes(read_split, tmp_path, num_workers, True)
    assert any("`human` expected the same rows" in each["told"] for each in split)
    assert all(each["shown"] in (0, 40) for each in split)
    (tmp_path / "whole").mkdir()
    whole = on_launched_processes(read_split, tmp_path / "whole", num_workers, False)
    assert whole == [{"shown": 40, "told": ""}] * 2


def of_workers(num_workers: int) -> Any:
    """What asks as one of the workers of a loader that has them in this process."""
    [differs] = FirstRows(1).of_sources({"seed": 0}, is_shared=False)

    def ask(worker: int, pass_number: int, row: int, digest: str) -> bool:
        with (
            mock.patch(f"{NAME}.get_worker_info", return_value=Worker(worker, num_workers)),
            mock.patch(f"{STARTS}._loader_number", return_value=9),
        ):
            return differs(pass_number, row, digest)

    return ask


def test_workers_are_compared_where_they_begin_at_the_same_row() -> None:
    ask = of_workers(3)
    assert not ask(0, 0, 4, "ab")
    assert not ask(1, 0, 4, "ab")
    # Another row, and the same one in another pass, are others.
    assert not ask(2, 0, 5, "cd")
    assert not ask(2, 1, 4, "cd")
    assert ask(2, 0, 4, "cd")


def test_a_single_process_has_nobody_to_leave_word_for() -> None:
    assert exchanged("place", "a") == (["a"], [])
    assert exchanged("place", "a") == (["a"], [])
    assert exchanged("place", "b") == (["a", "b"], [])


def said(rank: int, word: str, worker: Worker | None) -> tuple[list[str], list[list[str]]]:
    """What one of two processes, or a worker of it, sees at a place when it leaves word there."""
    with (
        mock.patch(f"{NAME}.get_worker_info", return_value=worker),
        mock.patch(f"{NAME}.launched_processes", return_value=2),
        mock.patch(f"{NAME}.launched_rank", return_value=rank),
    ):
        return exchanged("place", word)


@pytest.fixture
def met() -> dist.TCPStore:
    """Where the processes of a run have met."""
    return dist.TCPStore("127.0.0.1", free_port(), is_master=True, wait_for_workers=False)


def test_workers_meet_where_their_processes_have_met(
    met: dist.TCPStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(met.port))
    assert said(0, "a", Worker(0, 1)) == (["a"], [])
    assert said(1, "b", Worker(0, 1)) == (["b"], [["a"]])
    assert said(0, "c", Worker(0, 1)) == (["a", "c"], [["b"]])


@pytest.mark.parametrize("missing", ["MASTER_ADDR", "MASTER_PORT"])
def test_workers_that_no_launcher_told_where_to_meet_see_nothing(
    missing: str, met: dist.TCPStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(met.port))
    monkeypatch.delenv(missing)
    assert said(0, "a", Worker(0, 1)) == (["a"], [])
    assert said(1, "b", Worker(0, 1)) == (["b"], [])


def test_processes_meet_in_the_store_of_their_group() -> None:
    assert said(0, "before there is a group", None)[1] == []
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        assert said(1, "b", None) == (["b"], [])
        assert said(0, "a", None)[1] == [["b"]]
    finally:
        dist.destroy_process_group()


def test_a_build_of_torch_that_cannot_distribute_sees_nothing() -> None:
    with mock.patch(f"{NAME}.dist.is_available", return_value=False):
        assert said(0, "a", None) == (["a"], [])
