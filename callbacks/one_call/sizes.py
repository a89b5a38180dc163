"""How much to look at: what the first and the last look may cost, and what rules need."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collapse_guard.alerts.documents import ENOUGH
from collapse_guard.callbacks.one_call.held_out import Ids
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.readings.sampling import Sampling

MOST_SHARE = 0.02
"""Of a run's cost that the looks at its start and its end may take together."""

_WINDOWS = (128, 96, 64, 48, 32, 24, 16, 8)
_OF_USE = 100
"""Documents from which on more of them are not worth a shorter context."""

SIZES = (32, 64, 128, 256, 512)
"""Windows of a panel. Few steps between sizes, so that another number of epochs seldom makes
another panel."""
_USUAL = 256
"""Windows where nobody knows how long a run is."""

_TRAINING = 3.0
"""What a token costs in training, in passes forward: the backward pass counts for two."""
_WRITING = 4.0
"""What a token costs to write, in tokens that are read at once: it is read by itself."""


@dataclass(frozen=True)
class Length:
    """How long a run is.

    Attributes:
        steps: Optimizer steps.
        tokens_per_step: Tokens of each, over all devices.
    """

    steps: int
    tokens_per_step: float

    @property
    def cost(self) -> float:
        """In tokens that are read once."""
        return _TRAINING * self.steps * self.tokens_per_step


def looking(windows: int, tokens: int) -> float:
    """What the looks at the start and the end cost, in tokens that are read once.

    Args:
        windows: Of the panel.
        tokens: Of each.
    """
    return 2.0 * windows * tokens


def writing(sampling: Sampling | None) -> float:
    """What it costs to have the model write in both of them, in tokens that are read once."""
    if sampling is None:
        return 0.0
    return 2.0 * _WRITING * sampling.num_texts * sampling.length


def best_window(documents: Sequence[Ids], most: int | None) -> int:
    """The longest window that leaves most documents in, or enough.

    Args:
        documents: As token ids.
        most: Tokens that the model can read at once; None where it says nothing.
    """
    lengths = np.array([len(each) for each in documents])
    enough = max(min(_OF_USE, 2 * np.count_nonzero(lengths >= _WINDOWS[-1]) / 3), 1)
    fitting = [each for each in _WINDOWS if most is None or each <= most]
    for window in fitting:
        if np.count_nonzero(lengths >= window) >= enough:
            return window
    return (fitting or _WINDOWS)[-1]


def affordable(length: Length | None, window: int) -> int:
    """The most windows of `SIZES` that a run can pay for, or the least of them."""
    if length is None:
        return _USUAL
    allowed = MOST_SHARE * length.cost
    return max([each for each in SIZES if looking(each, window) <= allowed], default=SIZES[0])


def with_tail(panel: HeldOutPanel) -> int:
    """How many of a panel's documents hold tail tokens."""
    owners = panel.document_ids[panel.tail_positions.any(1)]
    return len(owners.unique())


def sees_enough(panel: HeldOutPanel) -> bool:
    """Whether rules have enough documents with rare tokens to go by."""
    return with_tail(panel) >= ENOUGH
