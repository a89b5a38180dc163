from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
import torch.distributed as dist

from collapse_guard import distributed
from collapse_guard.errors import CalledOffError, PeerError
from tests.processes import on_processes


def fails_on(rank: int) -> bool:
    return distributed.num_processes() > 1 and dist.get_rank() == rank


def told(block: Any) -> str:
    """What a process sees of a block that is run on all."""
    try:
        block()
    except (ValueError, PeerError) as error:
        return type(error).__name__
    return "done"


def all_or_none(failing_rank: int) -> None:
    with distributed.all_or_none():
        if fails_on(failing_rank):
            raise ValueError


def called_off() -> str:
    """A process that has left is not asked any more."""
    with distributed.all_or_none():
        raise CalledOffError("left")


def working(num_pieces: int, *, failing_rank: int = -1, across: bool = True) -> list[Any]:
    """The pieces that are done here, those that count, and how it ended."""
    done: list[int] = []
    counted: list[int] = []

    def work(piece: int, counts: bool) -> None:
        done.append(piece)
        if fails_on(failing_rank) and len(done) == 1:
            raise ValueError
        if counts:
            counted.append(piece)

    pieces = list(range(num_pieces))
    end = told(lambda: distributed.work_through(pieces, work, across_processes=across))
    return [done, counted, end]


def agree() -> dict[str, Any]:
    rank = dist.get_rank() if dist.is_initialized() else 0
    return {
        "processes": distributed.num_processes(),
        "first": distributed.is_first_process(),
        "any": [distributed.any_process(flag) for flag in (False, rank == 1, True)],
        "largest": distributed.largest([1.0 + rank, -rank]),
        "of_first": distributed.of_first_process([rank + 0.1, 2.0**52 + 1 + rank]),
        "summed": distributed.summed(np.full((2, 1), rank + 1.5)).tolist(),
        "succeeding": told(lambda: all_or_none(-1)),
        "failing_on_second": told(lambda: all_or_none(1)),
        "after_a_failure": distributed.summed(np.ones(1)).tolist(),
        "five": working(5),
        "one": working(1),
        "each_by_itself": working(2, across=False),
        "failing_work": working(5, failing_rank=1),
    }


def test_one_process_agrees_with_itself() -> None:
    assert agree() == {
        "processes": 1,
        "first": True,
        "any": [False, False, True],
        "largest": [1.0, 0.0],
        "of_first": [0.1, 2.0**52 + 1],
        "summed": [[1.5], [1.5]],
        "succeeding": "done",
        "failing_on_second": "done",
        "after_a_failure": [1.0],
        "five": [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4], "done"],
        "one": [[0], [0], "done"],
        "each_by_itself": [[0, 1], [0, 1], "done"],
        "failing_work": [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4], "done"],
    }


def test_what_is_done_together_can_go_another_way() -> None:
    asked: list[str] = []

    def reduce(values: Any, how: Any) -> Any:
        asked.append(str(how))
        return values + 1.0

    with (
        mock.patch.object(distributed, "num_processes", return_value=2),
        distributed.reduced_by(reduce),
    ):
        assert distributed.largest([1.0]) == [2.0]
        assert distributed.summed(np.zeros(2)).tolist() == [1.0, 1.0]
        with pytest.raises(CalledOffError):
            called_off()
    assert len(asked) == 2
    assert distributed.largest([1.0]) == [1.0]


def test_an_error_ends_the_work_of_a_single_process() -> None:
    done = []

    def work(piece: int, counts: bool) -> None:
        done.append(piece)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        distributed.work_through([0, 1], work, across_processes=True)
    assert done == [0]


@pytest.mark.slow
def test_two_processes_agree(tmp_path: Path) -> None:
    first, second = on_processes(agree, tmp_path)
    for same in ("processes", "any", "largest", "of_first", "summed", "after_a_failure"):
        assert first[same] == second[same]
    assert first["any"] == [False, True, True]
    assert first["largest"] == [2.0, 0.0]
    assert first["of_first"] == [0.1, 2.0**52 + 1]
    assert first["summed"] == [[4.0], [4.0]]
    assert first["after_a_failure"] == [2.0]
    assert (first["first"], second["first"]) == (True, False)
    assert (first["succeeding"], second["succeeding"]) == ("done", "done")
    assert (first["failing_on_second"], second["failing_on_second"]) == ("PeerError", "ValueError")
    # Each piece counts once, and both processes do equally many.
    assert first["five"] == [[0, 2, 4], [0, 2, 4], "done"]
    assert second["five"] == [[1, 3, 0], [1, 3], "done"]
    assert (first["one"], second["one"]) == ([[0], [0], "done"], [[0], [], "done"])
    assert first["each_by_itself"] == second["each_by_itself"] == [[0, 1], [0, 1], "done"]
    # The process whose piece failed goes on, since a sharded model would wait for it.
    assert first["failing_work"] == [[0, 2, 4], [0, 2, 4], "PeerError"]
    assert second["failing_work"] == [[1, 3, 0], [3], "ValueError"]


@pytest.mark.parametrize(("variables", "expected"), [((), (1, 0)), (("4", "3"), (4, 3))])
def test_a_spawned_worker_knows_its_processes_by_the_launcher(
    variables: tuple[str, ...], expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in zip(("WORLD_SIZE", "RANK"), variables, strict=False):
        monkeypatch.setenv(name, value)
    assert (distributed.launched_processes(), distributed.launched_rank()) == expected
    # Without a process group there is nobody to reduce with.
    assert distributed.num_processes() == 1


@contextmanager
def one_of_two(rank: int, other: Callable[[Any], Any] = lambda values: values) -> Iterator[None]:
    """This process as one of two, where the other one always says what is told here."""

    def reduce(values: Any, how: Any) -> Any:
        both = np.stack([values, other(values)])
        return both.sum(0) if how == dist.ReduceOp.SUM else both.max(0)

    with (
        mock.patch.object(distributed, "num_processes", return_value=2),
        mock.patch.object(dist, "get_rank", return_value=rank),
        distributed.reduced_by(reduce),
    ):
        yield


def test_what_the_first_process_says_holds_on_both() -> None:
    # The other one adds nothing to what the first one says.
    with one_of_two(0, np.zeros_like):
        assert distributed.is_first_process()
        assert distributed.of_first_process([3.0, -2.0]) == [3.0, -2.0]
    with one_of_two(1, lambda values: np.array([3.0, -2.0])):
        assert not distributed.is_first_process()
        assert distributed.of_first_process([8.0, 9.0]) == [3.0, -2.0]


def test_a_block_that_fails_on_one_process_fails_on_both() -> None:
    with one_of_two(0, np.zeros_like):
        assert told(lambda: all_or_none(-1)) == "done"
        # On the process that failed it is the failure itself that is raised.
        assert told(lambda: all_or_none(0)) == "ValueError"
    with one_of_two(0, np.ones_like):
        assert told(lambda: all_or_none(-1)) == "PeerError"
        assert told(lambda: all_or_none(0)) == "ValueError"


def test_two_processes_do_equally_many_pieces_and_each_counts_once() -> None:
    with one_of_two(0, np.zeros_like):
        assert working(5) == [[0, 2, 4], [0, 2, 4], "done"]
        assert working(2, across=False) == [[0, 1], [0, 1], "done"]
    with one_of_two(1, np.zeros_like):
        assert working(5) == [[1, 3, 0], [1, 3], "done"]
        assert working(0) == [[], [], "done"]


def test_a_process_whose_piece_failed_goes_through_the_rest_of_them() -> None:
    with one_of_two(1, np.zeros_like):
        assert working(5, failing_rank=1) == [[1, 3, 0], [3], "ValueError"]
    with one_of_two(0, np.ones_like):
        assert working(5, failing_rank=1) == [[0, 2, 4], [0, 2, 4], "PeerError"]


def test_what_is_called_off_ends_between_two_pieces() -> None:
    done = []

    def work(piece: int, counts: bool) -> None:
        done.append(piece)
        raise CalledOffError("left")

    # Nobody is asked how it went: there is nobody left who would say so.
    with one_of_two(0, lambda values: pytest.fail("asked")), pytest.raises(CalledOffError):
        distributed.work_through([0, 1, 2, 3], work, across_processes=True)
    assert done == [0]


@pytest.fixture
def _group_of_one() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("_group_of_one")
def test_a_group_says_how_many_there_are_and_its_reduction_changes_no_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As in a program that a launcher has started, and that has made a group of its own.
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "3")
    assert (distributed.launched_processes(), distributed.launched_rank()) == (1, 0)
    assert distributed.is_first_process()
    numbers = np.array([[2.0**52 + 1, -0.1]])
    for how in (dist.ReduceOp.SUM, dist.ReduceOp.MAX):
        reduced = distributed.reduce_in_training_group(numbers, how)
        assert reduced.dtype == np.float64
        assert reduced.tolist() == numbers.tolist()


@pytest.mark.parametrize(
    ("backends", "device"),
    [
        ("cpu:gloo,cuda:nccl", "cpu"),
        ("cpu:mpi", "cpu"),
        ("cuda:nccl", "cuda:3"),
        ("xpu:xccl", "xpu:3"),
    ],
)
def test_numbers_are_reduced_on_the_cpu_wherever_the_group_can(backends: str, device: str) -> None:
    accelerator = mock.Mock(**{"current_device.return_value": 3})
    with (
        mock.patch.object(dist, "get_backend_config", return_value=backends),
        mock.patch.object(torch, "get_device_module", return_value=accelerator) as asked,
    ):
        assert distributed._device() == torch.device(device)
    assert [call.args for call in asked.mock_calls] == ([] if device == "cpu" else [(device[:-2],)])
