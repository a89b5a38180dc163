"""A stream that each reader reads whole."""

from collections.abc import Iterator
from typing import Any

import datasets
import pytest
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from collapse_guard.mixing.streaming.whole_streams import as_one_reader, goes_on, twin_of
from tests.mixing.streams import Rows, make_sources


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


def test_what_has_a_state_goes_on_unless_it_forgets_its_buffer() -> None:
    assert not goes_on(Rows(1, 3))
    assert goes_on(make_sources("datasets")[0])
    shuffled = make_sources("shuffled")[0]
    assert not goes_on(shuffled)
    assert not goes_on(datasets.interleave_datasets([shuffled, shuffled]).map(lambda row: row))


def test_a_twin_goes_on_by_itself() -> None:
    stream = make_sources("datasets")[0]
    rows = list(stream)
    twin = twin_of(stream)
    reading = iter(twin)
    next(reading)
    twin.load_state_dict(twin.state_dict())
    assert list(stream) == rows
    assert list(twin) == rows[1:]
