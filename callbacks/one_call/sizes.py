"""How much to look at: what the first and the last look may cost, and what rules need."""

from dataclasses import dataclass

import torch
from torch.nn.parameter import is_lazy

from collapse_guard.alerts.documents import ENOUGH
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.monitor.pace import CALIBRATING
from collapse_guard.readings.sampling import Sampling

MOST_SHARE = 0.02
"""Of a run's cost that the looks at its start and its end may take together."""

SIZES = (32, 64, 128, 256, 512)
"""Windows of a panel. Few steps between sizes, so that another number of epochs seldom makes
another panel."""
_USUAL = 256
"""Windows where nobody knows how long a run is."""

_ALL_TRAINED = 3.0
"""What a token costs in training, in passes forward: the backward pass counts for two, one for the
gradients of what flows through the model and one for those of its parameters."""
_TRYING = 9
"""Windows that a model is tried with once, before it is looked at: 4 to see that looks leave no
trace, and 5 to see that it is causal."""
_WRITING = 4.0
"""What a token costs to write, in tokens that are read at once: it is read by itself."""


@dataclass(frozen=True)
class Length:
    """How long a run is.

    Attributes:
        steps: Optimizer steps.
        tokens_per_step: Tokens of each, over all devices.
        passes: What a token costs in training, in passes forward.
    """

    steps: int
    tokens_per_step: float
    passes: float = _ALL_TRAINED

    @property
    def cost(self) -> float:
        """In tokens that are read once."""
        return self.passes * self.steps * self.tokens_per_step


def passes_of(model: torch.nn.Module | None) -> float:
    """What a token costs in training, in passes forward: less where parameters are frozen.

    An adapter's gradients cost next to nothing, but what flows through the model needs its own.
    """
    parameters = [] if model is None else [p for p in model.parameters() if not is_lazy(p)]
    trained = sum(each.numel() for each in parameters if each.requires_grad)
    if not trained:
        # Nobody knows yet what will be.
        return _ALL_TRAINED
    return _ALL_TRAINED - 1.0 + trained / sum(each.numel() for each in parameters)


def looking(windows: int, tokens: int) -> float:
    """What the looks at the start and the end cost, in tokens that are read once.

    With what comes before and after the first one: a model is tried, and looks are timed.

    Args:
        windows: Of the panel.
        tokens: Of each.
    """
    return (2.0 * windows + _TRYING + CALIBRATING) * tokens


def writing(sampling: Sampling | None) -> float:
    """What it costs to have the model write in both of them, in tokens that are read once."""
    if sampling is None:
        return 0.0
    return 2.0 * _WRITING * sampling.num_texts * sampling.length


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
