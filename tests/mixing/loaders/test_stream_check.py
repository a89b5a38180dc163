from unittest import mock

import pytest
from accelerate.data_loader import IterableDatasetShard
from torch.utils.data import DataLoader

from collapse_guard.errors import ArgumentError, MixOrderError
from tests.mixing.streams import make_stream, stop

NAME = "collapse_guard.mixing.loaders.stream_check"


def test_no_batch_size() -> None:
    stream = make_stream(batch_size=None)
    loader = DataLoader(stream, 4, num_workers=2, collate_fn=list)
    with pytest.raises(MixOrderError, match="give batch_size=4 to the MixStream"):
        stream.check_loader(loader)
    batches = iter(loader)
    with pytest.raises(MixOrderError, match="give batch_size to the MixStream"):
        next(batches)
    stop(batches)
    with pytest.raises(ArgumentError, match="`batch_size` expected the batch size"):
        stream.shard(2, 0)


def test_a_loader_of_another_batch_size() -> None:
    stream = make_stream()
    stream.check_loader(DataLoader(stream, 3))
    for unfit in (DataLoader(stream, 3, num_workers=2), DataLoader(stream.shard(2, 0), 3)):
        with pytest.raises(MixOrderError, match="give batch_size=3 to the MixStream"):
            unfit.dataset.check_loader(unfit)


def test_workers_that_do_not_wait_for_each_other() -> None:
    stream = make_stream()
    stream.check_loader(DataLoader(stream, 4, num_workers=1, in_order=False))
    with pytest.raises(MixOrderError, match="leave in_order=True"):
        stream.check_loader(DataLoader(stream, 4, num_workers=2, in_order=False))


def test_two_ways_of_sharing_out_at_once() -> None:
    part = make_stream().shard(2, 0)
    with pytest.raises(MixOrderError, match="rows went missing"):
        part.check_loader(DataLoader(IterableDatasetShard(part, 4, False, 2, 0), 4))


def test_processes_that_would_each_read_all_of_it() -> None:
    stream = make_stream()
    with mock.patch(f"{NAME}.num_processes", return_value=2):
        with pytest.raises(
            MixOrderError, match=r"its rows came twice: give each process stream.sh"
        ):
            stream.check_loader(DataLoader(stream, 4))
        # Its own part of it, or what accelerate shares out, is read once.
        stream.shard(2, 1).check_loader(DataLoader(stream.shard(2, 1), 4))
        stream.check_loader(DataLoader(IterableDatasetShard(stream, 4, False, 2, 0), 4))
    stream.check_loader(DataLoader(stream, 4))


@pytest.mark.parametrize(("split_batches", "fitting"), [(False, 8), (True, 4)])
def test_what_accelerate_shares_out_is_read_by_all_processes_in_one_go(
    split_batches: bool, fitting: int
) -> None:
    for batch_size in (4, 8):
        stream = make_stream(batch_size=batch_size)
        part = IterableDatasetShard(stream, 4, False, 2, 0, split_batches)
        loader = DataLoader(part, 4, num_workers=2)
        if batch_size == fitting:
            stream.check_loader(loader)
            continue
        told = f"batch_size={batch_size} would be read {fitting} slots in one go"
        with pytest.raises(MixOrderError, match=told):
            stream.check_loader(loader)
