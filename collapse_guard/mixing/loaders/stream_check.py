"""Refuses a loader that would take a mixed stream in other portions than it is dealt out in."""

from typing import Any

from torch.utils.data import DataLoader

from collapse_guard.distributed import num_processes
from collapse_guard.errors import MixOrderError
from collapse_guard.mixing.loaders.torch_loader import check_torch_loader


def check_stream_loader(
    loader: "DataLoader[object]", *, batch_size: int | None, is_sharded: bool
) -> None:
    """Refuse a loader that does not fit a stream, before it has read anything.

    Args:
        loader: A torch `DataLoader`, as made by hand, by the Trainer or by accelerate.
        batch_size: Slots that the stream deals out in one go; None if it was not told.
        is_sharded: Whether the stream is this process's part of the whole.

    Raises:
        MixOrderError: It would void the floor, or show rows twice.
    """
    check_torch_loader(loader)
    shard: Any = loader.dataset
    # accelerate's two ways to share one stream out among processes, by what tells them apart.
    is_dispatched = any(kind.__name__ == "DataLoaderDispatcher" for kind in type(loader).__mro__)
    is_split = hasattr(shard, "process_index") and hasattr(shard, "num_processes")
    if is_sharded and (is_dispatched or is_split):
        raise MixOrderError(
            "accelerate and stream.shard would both share a MixStream out among the processes, so "
            "that rows went missing: give the Trainer or accelerate the stream itself."
        )
    if not (is_sharded or is_dispatched or is_split) and num_processes() > 1:
        raise MixOrderError(
            "every process would read the whole MixStream, so that its rows came twice: give each "
            "process stream.shard(num_shards, index)."
        )
    if loader.num_workers > 1 and not getattr(loader, "in_order", True):
        raise MixOrderError(
            "the workers would hand over the batches of a MixStream as they come, so its floor of "
            "human rows would not hold: leave in_order=True."
        )
    rows = loader.batch_size or 1
    if is_split:
        processes = 1 if shard.split_batches else shard.num_processes
        rows = shard.batch_size * processes
    if (loader.num_workers > 1 or is_sharded) and batch_size != rows:
        raise MixOrderError(
            f"a MixStream with batch_size={batch_size} would be read {rows} slots in one go, and "
            f"its floor of human rows would not hold: give batch_size={rows} to the MixStream."
        )
