"""A stream that each reader reads whole."""

from collections.abc import Iterator
from typing import Any

import pytest
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from collapse_guard.mixing.streaming.whole_streams import as_one_reader, twin_of
from tests.mixing.streams import make_sources


class Seen(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        with as_one_reader():
            hidden = get_worker_info()
        worker = get_worker_info()
        yield hidden is None, worker is not None and worker.id


def test_workers_are_hidden_and_come_back() -> None:
    assert list(DataLoader(Seen(), None, num_workers=2)) == [[True, 0], [True, 1]]
    with pytest.raises(KeyError), as_one_reader():
        raise KeyError
    assert get_worker_info() is None


def test_a_twin_goes_on_by_itself() -> None:
    stream = make_sources("datasets")[0]
    rows = list(stream)
    twin = twin_of(stream)
    reading = iter(twin)
    next(reading)
    twin.load_state_dict(twin.state_dict())
    assert list(stream) == rows
    assert list(twin) == rows[1:]
