"""The block size and the epochs that a training needs, read off what trains; and what to change."""

import copy
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from collapse_guard.arguments import understood, whole_number
from collapse_guard.errors import bad_argument

logger = logging.getLogger("collapse_guard")

M = TypeVar("M")

_WANTED = {
    "expected": "the TrainingArguments of a Hugging Face Trainer (or of one of TRL's), an "
    "Accelerator, or a Lightning Trainer",
    "hint": "for another loop, give block_size to MixGuard: rows per device x devices x "
    "accumulation steps",
}


@dataclass(frozen=True)
class Training:
    """How much a training reads.

    Attributes:
        rows_per_step: Rows of a global batch, over all processes and accumulation steps.
        epochs: Passes over the data, rounded up; None where another limit holds, or none is known.
        max_steps: Optimizer steps, where they are what it ends by.
    """

    rows_per_step: int
    epochs: int | None = None
    max_steps: int | None = None


def read_training(args: Any, batch_size: Any = None) -> Training:
    """How much a training reads, by what it is configured with. No trainer is imported.

    Args:
        args: Hugging Face's `TrainingArguments`, an `Accelerator`, or a Lightning `Trainer`.
        batch_size: Rows of one batch of a loader, for the latter two; None for the first, which
            says it.

    Raises:
        ArgumentError: It is none of these, or is set to something that voids the floor.
    """
    if isinstance(args, type):
        raise bad_argument("args", given=args, **_WANTED)
    with understood("args", args, **_WANTED):
        if hasattr(args, "per_device_train_batch_size"):
            return _of_hugging_face(args, batch_size)
        if hasattr(args, "accumulate_grad_batches"):
            return _of_lightning(args, _rows(batch_size))
        if hasattr(args, "gradient_accumulation_steps") and hasattr(args, "num_processes"):
            rows = _rows(batch_size) * (1 if args.split_batches else _replicas(args))
            return Training(rows * args.gradient_accumulation_steps)
    raise bad_argument("args", given=args, **_WANTED)


def made_for(make: Callable[..., M], args: Any, batch_size: Any, settings: Mapping[str, Any]) -> M:
    """A mixed stream that fits a training.

    Args:
        make: Makes it, with a length, of settings as of `MixGuard`.
        args: As of `read_training`.
        batch_size: Likewise.
        settings: As given by the user: without a block size. Where `epochs` is among them, it
            stays; else it is as many as the training has, or as its steps need. A training that
            ends within its first epoch gets a stream of just its length, unless one is given.

    Raises:
        ArgumentError: As `read_training`, or there is a block size.
    """
    if "block_size" in settings:
        raise bad_argument(
            "block_size",
            expected="none, as it is read off what trains",
            given=settings["block_size"],
            hint="leave it out, or call MixGuard(...) itself",
        )
    training = read_training(args, batch_size)
    fitted = {**settings, "block_size": training.rows_per_step}
    if "epochs" in fitted:
        return make(**fitted)
    if training.max_steps is None:
        return make(**fitted, epochs=training.epochs or 1)
    # How long an epoch is, follows from the sources, and from no boost, which is slow to make.
    once: Any = make(**{**fitted, "boost": None})
    needed = training.max_steps * training.rows_per_step
    if needed < len(once) and fitted.get("length") is None:
        return make(**{**fitted, "length": needed})
    return make(**fitted, epochs=math.ceil(needed / len(once)))


def remembered(args: Any) -> Any:
    """What a stream keeps of what it was made for; None where nothing of it could be changed."""
    return args if hasattr(args, "per_device_train_batch_size") else None


def changed_arguments(args: Any, *, block_size: int, epochs: int) -> Any:
    """A copy of a Trainer's arguments that reads a mixed stream in order, once.

    Args:
        args: Hugging Face's `TrainingArguments`; left as they are.
        block_size: Of the stream.
        epochs: Of the stream, which take the place of the Trainer's.

    Raises:
        ArgumentError: They are none, void the floor, or their global batch is no whole number of
            blocks.
    """
    if args is None or isinstance(args, type) or not hasattr(args, "train_sampling_strategy"):
        raise bad_argument(
            "args",
            expected="the TrainingArguments of a Hugging Face Trainer",
            given=args,
            hint="write mix.trainer_arguments(args); others have nothing to change: "
            "DataLoader(mix, batch_size, shuffle=False) for accelerate, and for Lightning "
            "collapse_guard.integrations.MixDataModule",
        )
    training = read_training(args)
    if training.rows_per_step % block_size:
        raise bad_argument(
            "args",
            expected=f"a global batch of a whole number of blocks of {block_size} rows",
            given=f"{training.rows_per_step} rows a step",
            hint="write MixGuard.for_trainer(human, synthetic, args, human_fraction=...)",
        )
    strategy = args.train_sampling_strategy
    if strategy not in ("sequential", "random"):
        logger.warning(
            "train_sampling_strategy=%r would bring rows into another order, in which the floor "
            'of human rows does not hold: it is changed to "sequential".',
            strategy,
        )
    changed = copy.copy(args)
    changed.train_sampling_strategy = "sequential"
    if training.max_steps is None:
        asked = args.num_train_epochs
        changed.num_train_epochs = asked / epochs if epochs - 1 < asked <= epochs else 1.0
    if hasattr(args, "shuffle_dataset"):
        changed.shuffle_dataset = False
    return changed


def _of_hugging_face(args: Any, batch_size: Any) -> Training:
    if batch_size is not None:
        raise bad_argument(
            "batch_size",
            expected="None, as TrainingArguments say it",
            given=batch_size,
            hint="set per_device_train_batch_size",
        )
    for name, why in _VOIDS_THE_FLOOR.items():
        if getattr(args, name, False):
            raise bad_argument(name, expected="False for a mix", given=True, hint=why)
    config = getattr(args, "accelerator_config", None)
    is_split = bool(getattr(config, "split_batches", False))
    rows = args.train_batch_size * (1 if is_split else _replicas(args))
    rows *= args.gradient_accumulation_steps
    if args.max_steps > 0:
        return Training(rows, max_steps=args.max_steps)
    return Training(rows, epochs=max(1, math.ceil(args.num_train_epochs)))


_VOIDS_THE_FLOOR = {
    "auto_find_batch_size": "leave it out, and set a per_device_train_batch_size that fits into "
    "memory: batches of another size are no whole number of blocks, so that their floor of human "
    "rows would not hold",
    "packing": "leave it off: it merges rows, and with them which of them are human",
}


def _of_lightning(trainer: Any, batch_size: int) -> Training:
    replicas, _ = replica_of(trainer)
    rows = batch_size * replicas * trainer.accumulate_grad_batches
    if trainer.max_epochs is not None and trainer.max_epochs > 0:
        return Training(rows, epochs=trainer.max_epochs)
    return Training(rows, max_steps=trainer.max_steps if trainer.max_steps > 0 else None)


def replica_of(trainer: Any) -> tuple[int, int]:
    """How many processes of a Lightning `Trainer` read rows of their own, and which one this is."""
    dealt = getattr(trainer.strategy, "distributed_sampler_kwargs", None) or {}
    return dealt.get("num_replicas", 1), dealt.get("rank", 0)


def _replicas(args: Any) -> int:
    """Processes that read rows of their own: some may share the work on the same rows."""
    processes: int = args.num_processes if hasattr(args, "num_processes") else args.world_size
    config = getattr(args, "parallelism_config", None)
    return processes // (1 if config is None else config.non_data_parallel_size)


def _rows(batch_size: Any) -> int:
    return whole_number(
        "batch_size", batch_size, least=1, hint="give the batch size of the DataLoader"
    )
