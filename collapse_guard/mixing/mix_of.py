"""The mixed stream behind a training set."""

from typing import Any

from collapse_guard.mixing.guard import MixGuard
from collapse_guard.mixing.stream import MixStream


def mix_of(training: Any) -> MixGuard | MixStream | None:
    """The mixed stream that a training set is, or is made of: packs, or a Hugging Face data set."""
    mix = getattr(training, "guard", training)
    return mix if isinstance(mix, MixGuard | MixStream) else None
