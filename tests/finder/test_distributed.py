"""Processes that search together find the same, though their clocks and weights may differ."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from collapse_guard.errors import ArgumentError, PeerError
from collapse_guard.finder import find
from collapse_guard.finder.find import find_decoding
from collapse_guard.model.decoding import Decoding
from tests.callbacks.witness import digest
from tests.finder.markov import adam, human_documents, learnt_chain, written_rows
from tests.processes import on_processes

pytestmark = pytest.mark.slow


def search(model: torch.nn.Module, **settings: Any) -> list[Any]:
    rows = written_rows(learnt_chain(), Decoding(temperature=0.7), count=32)
    usual: dict[str, Any] = {"optimizer": adam(), "steps": 4, "batch_size": 4}
    found = find_decoding(model, rows, human_documents(12, seed=9), **{**usual, **settings})
    return [str(found.decoding), [[str(each.decoding), each.human_nll] for each in found.trials]]


def under_data_parallel(max_seconds: float | None) -> list[Any]:
    """On a clock that passes of the model drive, on the second process fifty times as fast."""
    model, now = learnt_chain(), [0.0]
    tick = 50.0 if torch.distributed.get_rank() else 1.0
    model.register_forward_hook(lambda *_: now.append(now[-1] + tick))
    find.perf_counter = lambda: now[-1]
    before = digest(model.state_dict())
    wrapped = DistributedDataParallel(model)
    found = search(wrapped, max_seconds=max_seconds)
    assert digest(model.state_dict()) == before
    # The wrapper goes on as if nothing had been.
    wrapped(torch.zeros(1, 2, dtype=torch.int64)).sum().backward()
    return found


def failing_on_one(_: None) -> str:
    torch.distributed.barrier()
    rank = torch.distributed.get_rank()

    def optimizer(parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        if rank:
            raise ZeroDivisionError
        return torch.optim.SGD(parameters, lr=1.0)

    try:
        search(learnt_chain(), optimizer=optimizer)
    except (ArgumentError, PeerError) as error:
        return type(error).__name__
    return "nothing"


@pytest.mark.parametrize("max_seconds", [None, 180.0])
def test_all_find_the_same(tmp_path: Path, max_seconds: float | None) -> None:
    one, other = on_processes(under_data_parallel, tmp_path, max_seconds)
    assert one == other
    alone = search(learnt_chain())
    if max_seconds is None:
        assert one == alone
    else:
        assert len(one[1]) < len(alone[1])


def test_a_failure_on_one_is_raised_on_all(tmp_path: Path) -> None:
    assert sorted(on_processes(failing_on_one, tmp_path, None)) == [
        "ArgumentError",
        "PeerError",
    ]
