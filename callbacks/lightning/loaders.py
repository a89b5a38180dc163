"""Loaders of mixed rows under Lightning: that they keep the order, and go on where a run did."""

from contextlib import suppress
from typing import Any

from collapse_guard.errors import MixOrderError
from collapse_guard.extras import require
from collapse_guard.mixing.guard import MixGuard
from collapse_guard.mixing.packing.packed_mix import PackedMix
from collapse_guard.mixing.stream import MixStream

require("lightning", "lightning")

from lightning.pytorch import Trainer  # noqa: E402
from lightning.pytorch.utilities import CombinedLoader  # noqa: E402

_REMEDY = (
    "Read it through torchdata's StatefulDataLoader, whose place Lightning's checkpoints keep, or "
    "resume from a checkpoint of an epoch's end."
)


def check_loaders(trainer: Trainer) -> None:
    """Refuse loaders that would read their mix out of order, before they have read anything.

    Raises:
        MixOrderError: One would.
    """
    for loader in _loaders(trainer):
        if isinstance(mix := getattr(loader, "dataset", None), MixGuard | PackedMix):
            mix.check_loader(loader)


def read_on(trainer: Trainer) -> None:
    """Where a run is resumed in mid-epoch, let its loaders go on at the batch that is next.

    Lightning keeps the place of loaders that have a state, such as torchdata's. Any other it starts
    anew and stops where the epoch is full: a mix would show its first rows again, and its last ones
    never. So the batches that the run has had are read and let go of. Loaders without a mix stay as
    Lightning has them.

    Args:
        trainer: Whose training begins.

    Raises:
        MixOrderError: Loaders with and without a state are read side by side, or this version of
            Lightning keeps them elsewhere.
    """
    loaders = _loaders(trainer)
    seen = _batches_seen(trainer)
    if not seen or not any(_is_mixed(loader) for loader in loaders):
        return
    with_state = [hasattr(loader, "load_state_dict") for loader in loaders]
    if all(with_state):
        return
    fetcher: Any = getattr(trainer.fit_loop, "_data_fetcher", None)
    if any(with_state) or getattr(fetcher, "iterator", None) is None:
        raise MixOrderError(
            f"a run is resumed {seen} batches into an epoch, and the loader of its mix would begin "
            f"at the first row again. {_REMEDY}"
        )
    # Not by what calls `iter`, which would begin anew. Of a loader without a length the fetcher
    # holds the next batch already.
    ahead: list[Any] = getattr(fetcher, "batches", [])
    for _ in range(seen):
        with suppress(StopIteration):
            ahead.append(next(fetcher.iterator))
        del ahead[:1]


def _batches_seen(trainer: Trainer) -> int:
    """Batches of the epoch that were trained on before the checkpoint, which is not its end."""
    if not trainer.fit_loop.restarting:
        return 0
    progress: Any = trainer.fit_loop.epoch_loop.batch_progress.current
    seen = int(progress.processed)
    return seen if seen < trainer.num_training_batches else 0


def _loaders(trainer: Trainer) -> list[Any]:
    return list(CombinedLoader(trainer.train_dataloader).flattened)


def _is_mixed(loader: object) -> bool:
    return isinstance(getattr(loader, "dataset", None), MixGuard | MixStream | PackedMix)
