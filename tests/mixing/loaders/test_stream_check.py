import pytest
from accelerate.data_loader import IterableDatasetShard
from torch.utils.data import DataLoader

from collapse_guard.errors import ArgumentError, MixOrderError
from tests.mixing.streams import make_stream, stop


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
