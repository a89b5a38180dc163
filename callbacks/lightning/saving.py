"""Writing a checkpoint of Lightning's so that a failure on one process holds up no other."""

from typing import Any

from collapse_guard.distributed import all_or_none


def save_on_all(trainer: Any, path: str) -> None:
    """Write a checkpoint as `Trainer.save_checkpoint` does, or raise on all processes.

    There the others wait for the one that writes: for ever where its disk is full.

    Args:
        trainer: A `lightning.pytorch.Trainer`; any, for what it does not show.
        path: Where the checkpoint shall be.

    Raises:
        PeerError: Another process could not write its part.
    """
    # As long as the training itself would wait: to write may take minutes.
    with all_or_none():
        checkpoint = trainer._checkpoint_connector.dump_checkpoint(False)
    with all_or_none():
        trainer.strategy.save_checkpoint(checkpoint, path)
