"""What Lightning's own callbacks make of a reading that could not be had."""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

from collapse_guard.callbacks.session import WatchSession
from collapse_guard.distributed import any_process
from collapse_guard.extras import require

require("lightning", "lightning")

from lightning.pytorch import Trainer  # noqa: E402
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping  # noqa: E402

_CHECKS = ("on_validation_end", "on_train_epoch_end")
"""The hooks in which an `EarlyStopping` asks for its metric."""


def offered(session: WatchSession, trainer: Trainer) -> dict[str, float]:
    """What goes into `callback_metrics`: the last value that could be had of each key.

    NaN is there for a key that never had one, since who looks for it and does not find it ends the
    run; and for one that is missing now and that a `ModelCheckpoint` monitors, which takes NaN for
    the worst, and would take an older value for one of this step.
    """
    values = session.values
    monitored = {each.monitor for each in _of(trainer, Checkpoint)} & values.missing
    never = values.missing - values.latest.keys()
    return {**values.latest, **dict.fromkeys(never | monitored, math.nan)}


def spare_stoppers(session: WatchSession, trainer: Trainer) -> Callable[[], None]:
    """Let each `EarlyStopping` pass over its check while the reading that it monitors is missing.

    It would end the run for a missing metric, and for NaN (`check_finite`), and would count an
    older value as no improvement.

    Returns:
        A function that leaves them as they were.
    """
    undo = ExitStack()
    for stopper in _of(trainer, EarlyStopping):
        if stopper.monitor in session.values.keys:
            for name in _CHECKS:
                undo.callback(_put_back, stopper, name, vars(stopper).get(name))
                setattr(stopper, name, partial(_check, session, stopper, getattr(stopper, name)))
    return undo.close


def _check(
    session: WatchSession, stopper: EarlyStopping, hook: Callable[..., None], *given: Any
) -> None:
    # All processes know whether anybody looks, but for those that have no such callback.
    if not session.values.is_watched:
        return
    # The check takes a decision of all processes: either all of them make it, or none.
    if not any_process(stopper.monitor in session.values.missing):
        hook(*given)


def _put_back(stopper: EarlyStopping, name: str, hook: object) -> None:
    if hook is None:
        delattr(stopper, name)
    else:
        setattr(stopper, name, hook)


def _of(trainer: Any, kind: type[Any]) -> Iterator[Any]:
    return (each for each in trainer.callbacks if isinstance(each, kind))
