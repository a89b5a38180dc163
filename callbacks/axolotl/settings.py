"""The settings of the plug-in, as Axolotl checks them."""

from collapse_guard.callbacks.one_call.file_settings import FileSettings
from collapse_guard.extras import require

# Axolotl brings it.
require("pydantic", "cli")

from pydantic import BaseModel  # noqa: E402


class AxolotlSettings(BaseModel):
    """What the plug-in adds to Axolotl's own settings.

    Attributes:
        collapse_guard: Its part of the file.
    """

    collapse_guard: FileSettings
