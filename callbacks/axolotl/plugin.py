"""The plug-in that Axolotl's settings name under `plugins:`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from collapse_guard.callbacks.one_call.file_settings import file_settings
from collapse_guard.callbacks.one_call.watch import watch
from collapse_guard.callbacks.one_call.watched import Watched

if TYPE_CHECKING:
    _Plugin = object
else:
    try:
        from axolotl.integrations.base import BasePlugin as _Plugin
    except ImportError:
        # Axolotl imports this class, so where there is no Axolotl nothing calls its hooks.
        _Plugin = object


class AxolotlPlugin(_Plugin):
    """Watches what Axolotl trains, by settings in its own file.

    Every trainer that Axolotl makes of the Hugging Face Trainer or TRL's is watched as by `watch`:
    full and LoRA fine-tuning, pre-training, DPO, GRPO. The keys under `collapse_guard:` are those
    of `collapse_guard.callbacks.one_call.file_settings.FileSettings`.

    Attributes:
        watched: What was set up; None until Axolotl has made the trainer.

    Example:
        In the YAML file::

            plugins:
              - collapse_guard.callbacks.AxolotlPlugin
            collapse_guard:
              held_out: held_out.jsonl
              on_alert: save_and_stop
    """

    def __init__(self) -> None:
        super().__init__()
        self.watched: Watched | None = None
        self._arguments: dict[str, Any] = {}

    def register(self, cfg: Any) -> None:
        """Read the settings and held-out text, before the model is loaded, which takes long.

        Args:
            cfg: All settings, as the file has them.

        Raises:
            ArgumentError: Settings that cannot work, or a file that cannot be read.
        """
        given = cfg.get("collapse_guard") if isinstance(cfg, Mapping) else None
        settings = file_settings("collapse_guard", given)
        self._arguments = settings.arguments()

    def get_input_args(self) -> str:
        """Where the class is that describes the settings for Axolotl's own check of them."""
        from collapse_guard.callbacks.axolotl.settings import AxolotlSettings

        return f"{AxolotlSettings.__module__}.{AxolotlSettings.__qualname__}"

    def post_trainer_create(self, cfg: Any, trainer: Any) -> None:
        """Watch the trainer, which has all of its own callbacks by now.

        Args:
            cfg: All settings, checked.
            trainer: The trainer, which has not begun.

        Raises:
            ArgumentError: It cannot be watched.
            PanelError: Held-out text that stands in the training set, too short, or too little.
        """
        self.watched = watch(trainer, **self._arguments)
