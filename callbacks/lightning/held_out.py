"""A callback for settings files: all that it takes is plain words and numbers."""

from typing import Any

from collapse_guard.arguments import optional, real, text
from collapse_guard.callbacks.actions import Action
from collapse_guard.callbacks.one_call.file_settings import FileSettings
from collapse_guard.callbacks.one_call.watch import watch
from collapse_guard.callbacks.one_call.watched import Watched
from collapse_guard.extras import require

require("lightning", "lightning")

from lightning.pytorch import Callback, LightningModule, Trainer  # noqa: E402


class WatchHeldOut(Callback):
    """Watches what a Lightning `Trainer` fits, by settings that a file can hold.

    For `LightningCLI`, where a callback is named by its class path. When `fit` begins it calls
    `watch`, which adds a `CollapseGuard` to the trainer's callbacks: that does all of the watching,
    and checkpoints hold its state. The module has to have its language model by then, from its
    `__init__`.

    Args:
        held_out: Human text that is never trained on: a file, a folder, or a hub's name.
        tokenizer: The name or path of the model's; the module's attribute `tokenizer` where left
            out.
        human: Human text of the training, to count in which tokens are rare; where left out half of
            the held-out text is counted, and not looked at.
        groups: The column of held-out rows that says what they are of: an article, an author.
        split: Of held-out data sets that have several parts.
        on_alert: What an alert makes the run do.
        overhead: The share of the training time that looks take.
        every_n_steps: In its place, the steps from one look at the whole panel to the next.
        writing: Whether the model writes a little at looks at the whole panel.
        name: What logged keys begin with.
        tokens_per_step: Tokens of an optimizer step on all devices, so that the panel is sized by
            what the run can pay for.

    Attributes:
        watched: What was set up; None until `fit` begins.

    Raises:
        ArgumentError: At construction, for settings that cannot work or a file that cannot be read;
            when `fit` begins, for a module without an obvious language model, or no tokenizer.

    Example:
        In the YAML file::

            trainer:
              callbacks:
                - class_path: collapse_guard.callbacks.WatchHeldOut
                  init_args:
                    held_out: held_out.jsonl
                    tokenizer: gpt2
    """

    def __init__(
        self,
        held_out: str,
        tokenizer: str | None = None,
        human: str | None = None,
        groups: str | None = None,
        split: str = "test",
        on_alert: Action = "log",
        overhead: float = 0.01,
        every_n_steps: int | None = None,
        writing: bool = True,
        name: str = "collapse",
        tokens_per_step: float | None = None,
    ) -> None:
        settings = FileSettings(
            held_out, human, groups, split, on_alert, overhead, every_n_steps, writing, name
        )
        optional(text(hint="give its name, or leave it out"))("tokenizer", tokenizer)
        optional(real(above=0, hint="leave it out"))("tokens_per_step", tokens_per_step)
        self._arguments: dict[str, Any] = settings.arguments()
        self._tokenizer, self._tokens_per_step = tokenizer, tokens_per_step
        self.watched: Watched | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Add the callback that watches, before the trainer restores callbacks from a checkpoint.

        Raises:
            ArgumentError: It cannot be watched.
            PanelError: Held-out text that is too short, or too little of it.
        """
        if stage != "fit" or self.watched is not None:
            return
        tokenizer = None
        if self._tokenizer is not None:
            loader = require("transformers", "huggingface").AutoTokenizer
            tokenizer = loader.from_pretrained(self._tokenizer)
        self.watched = watch(
            trainer,
            model=pl_module,
            tokenizer=tokenizer,
            tokens_per_step=self._tokens_per_step,
            **self._arguments,
        )
        # Lightning is going through its callbacks, and has passed the place of the new one.
        self.watched.callback.setup(trainer, pl_module, stage)
