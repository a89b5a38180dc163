"""A Hugging Face `Trainer`, or one of TRL's, as something to be watched."""

import math
from typing import Any

from collapse_guard.callbacks.huggingface.callback import CollapseGuardCallback
from collapse_guard.callbacks.one_call.sizes import Length
from collapse_guard.callbacks.one_call.target import Target
from collapse_guard.callbacks.session import WatchSession
from collapse_guard.monitor.monitor import CollapseMonitor

_TOLD = (
    *("learning_rate", "lr_scheduler_type", "warmup_steps", "warmup_ratio", "optim"),
    *("weight_decay", "max_grad_norm", "per_device_train_batch_size"),
    *("gradient_accumulation_steps", "num_train_epochs", "max_steps", "seed", "data_seed"),
    *("bf16", "fp16", "gradient_checkpointing", "label_smoothing_factor"),
    # Of TRL's.
    *("max_length", "packing", "beta", "loss_type", "num_generations"),
)
"""Arguments that are written down, and no others: some hold paths and tokens."""


def of_trainer(trainer: Any) -> Target:
    """What is to be known of a trainer, which is left as it is until it is joined."""

    def join(monitor: CollapseMonitor, **options: Any) -> tuple[WatchSession, Any]:
        callback = CollapseGuardCallback(monitor, **options)
        callback.attach(trainer)
        return callback.session, callback

    def counted(mean_tokens: float) -> Length | None:
        return _length(trainer.args, trainer.train_dataset, mean_tokens)

    processor = getattr(trainer, "processing_class", None)
    return Target(
        model=trainer.model,
        trained=trainer,
        # Of a processor for several kinds of input, the part for text.
        tokenizer=getattr(processor, "tokenizer", processor),
        training=trainer.train_dataset,
        counted=counted,
        is_main=trainer.is_world_process_zero(),
        join=join,
        callbacks=trainer.callback_handler.callbacks,
        folder=lambda: trainer.args.output_dir,
        settings=lambda: _settings(trainer),
    )


def _settings(trainer: Any) -> dict[str, object]:
    known = {name: getattr(trainer.args, name, None) for name in _TOLD}
    # Of a run that is as long as its epochs, the arguments have no number.
    steps = trainer.state.max_steps or trainer.args.max_steps
    processes = trainer.args.world_size
    return {
        "trainer": type(trainer).__name__,
        **known,
        "max_steps": steps,
        "processes": processes,
    }


def _length(args: Any, rows: Any, mean_tokens: float) -> Length | None:
    batch = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
    steps = args.max_steps
    if steps <= 0:
        if not hasattr(rows, "__len__"):
            return None
        steps = math.ceil(math.ceil(len(rows) / batch) * args.num_train_epochs)
    return Length(steps, batch * mean_tokens) if steps and mean_tokens else None
