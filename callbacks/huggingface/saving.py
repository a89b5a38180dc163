"""Getting a checkpoint of this very step out of a Hugging Face Trainer."""

from collapse_guard.callbacks.huggingface.records import TrainerEvent
from collapse_guard.extras import require

require("transformers", "huggingface")

from transformers.trainer_utils import SaveStrategy  # noqa: E402


class SaveOnce:
    """A wish for one checkpoint, which lasts until the Trainer has written it.

    A Trainer saves when `control.should_save` is set at the end of a step, but it clears that flag
    when a step begins, and `save_strategy="best"` clears it after an evaluation.
    """

    def __init__(self) -> None:
        self._is_due = False
        self._overridden: SaveStrategy | None = None

    def forget(self) -> None:
        """Wish for nothing: a training begins."""
        self._is_due = False

    def wish(self, event: TrainerEvent) -> None:
        """Ask for a checkpoint."""
        self._is_due = True
        event.control.should_save = True

    def remind(self, event: TrainerEvent) -> None:
        """Ask again after a step, for what was asked before the first one."""
        if self._is_due:
            event.control.should_save = True

    def insist(self, event: TrainerEvent) -> None:
        """Keep what is asked for after an evaluation, when only a best model would be saved."""
        if self._is_due and event.args.save_strategy == SaveStrategy.BEST:
            self._overridden = SaveStrategy.BEST
            # What it does to the choice of the best model is the same.
            event.args.save_strategy = SaveStrategy.STEPS

    def fulfilled(self, event: TrainerEvent) -> None:
        """Take note of a checkpoint, and leave the Trainer's settings as they were."""
        self._is_due = False
        if self._overridden is not None:
            event.args.save_strategy, self._overridden = self._overridden, None
