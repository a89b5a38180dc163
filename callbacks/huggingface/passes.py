"""The training passes of a Hugging Face Trainer, for a reader that reads along."""

from collections.abc import Callable

from collapse_guard.callbacks.huggingface.records import TrainerEvent
from collapse_guard.extras import require
from collapse_guard.readings.prequential import PrequentialReader

require("transformers", "huggingface")

from transformers import Trainer  # noqa: E402


def watch_passes(
    reader: PrequentialReader, trainer: Trainer | None, event: TrainerEvent
) -> Callable[[], None]:
    """Let a reader read along with a Trainer's training passes.

    Args:
        reader: The reader.
        trainer: The Trainer; None where only its event is known, which does not show what its model
            is wrapped in.
        event: The event that training begins with.

    Returns:
        A function that ends it.
    """
    args = event.args
    # A hook on what a compiler has wrapped would become part of what it compiles.
    model = event.others["model"] if trainer is None else trainer.model_wrapped
    return reader.watch(
        model,
        batch_size=args.train_batch_size,
        passes=event.state.global_step * args.gradient_accumulation_steps,
        rank=args.process_index,
        num_processes=args.world_size,
    )
