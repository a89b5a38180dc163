"""Trainers that a program makes and trains in one go, out of reach of `watch`."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from collapse_guard.callbacks.one_call.watch import watch
from collapse_guard.callbacks.one_call.watched import Watched
from collapse_guard.extras import require


@contextmanager
def watching_trainers(**arguments: Any) -> Iterator[list[Watched]]:
    """Watch every Hugging Face Trainer, and TRL's, that begins to train in the block.

    For programs that make their trainer inside and train it at once, as LLaMA-Factory's `run_exp`
    does, so that there is no line between to call `watch` in. While the block runs,
    `Trainer.train` calls `watch` first, once for each trainer.

    Args:
        arguments: Those of `watch`, without the trainer.

    Yields:
        What was set up, a `Watched` for each trainer, in order.

    Raises:
        ArgumentError: When a trainer begins: an argument that cannot work.
        PanelError: When a trainer begins: held-out text that stands in the training set, too short,
            or too little of it.

    Example:
        ::

            with watching_trainers(held_out=held_out_texts):
                run_exp()
    """
    trainer_class = require("transformers", "huggingface").Trainer
    train = trainer_class.train
    seen: list[Any] = []
    watched: list[Watched] = []

    @wraps(train)
    def watched_train(trainer: Any, *given: Any, **named: Any) -> Any:
        if not any(each is trainer for each in seen):
            seen.append(trainer)
            watched.append(watch(trainer, **arguments))
        return train(trainer, *given, **named)

    trainer_class.train = watched_train
    try:
        yield watched
    finally:
        trainer_class.train = train
        seen.clear()
