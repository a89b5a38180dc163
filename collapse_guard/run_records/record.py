"""A watched run as its file tells it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from collapse_guard.alerts.rules import Alert, Threshold
from collapse_guard.finder.source_decoding import SourceDecoding
from collapse_guard.monitor.look import Look
from collapse_guard.readings.at_positions import Floats
from collapse_guard.readings.lost_words import LostWords

Configuration = Mapping[str, Mapping[str, str]]
"""How a run was set up, in words: settings by name, in groups by name."""


@dataclass(frozen=True)
class PanelFigures:
    """How much a run was looked at on.

    Attributes:
        windows: Windows of held-out text.
        tokens: Tokens of each.
        documents: Documents that stand for themselves.
        fingerprint: Of the panel.
    """

    windows: int
    tokens: int
    documents: int
    fingerprint: str


@dataclass(frozen=True)
class RunRecord:
    """What is known of a run, which may still go on.

    Attributes:
        name: That its logged keys begin with.
        began: When, in ISO 8601.
        version: Of collapse_guard, that wrote it.
        panel: What it was looked at on; None where that was no held-out text.
        rules: What alerts were raised on.
        meanings: What each reading is, by its name.
        looks: The start, and every look that was logged, in their order.
        summary: How it went so far, a line each.
        overhead: Share of the training time that all looks took; NaN before any training.
        has_ended: Whether it came to its end.
        first_texts: Some of what the model wrote first, where that is known.
        last_texts: The same at the last look at which it wrote, from the same random numbers.
        decodings: Of what the loss is matched to, by source.
        configuration: How it was set up.
        position_logprobs: float64 of shape (positions,), what each position of the panel was given
            at the start, to a thousandth of itself; None where that is not known.
        lost_words: Those that it lost, once it has ended; None where nobody has looked for them.
    """

    name: str
    began: str
    version: str
    panel: PanelFigures | None
    rules: tuple[Threshold, ...]
    meanings: Mapping[str, str]
    looks: tuple[Look, ...]
    summary: tuple[str, ...] = ()
    overhead: float = field(default=float("nan"))
    has_ended: bool = False
    first_texts: tuple[str, ...] = ()
    last_texts: tuple[str, ...] = ()
    decodings: tuple[SourceDecoding, ...] = ()
    configuration: Configuration = field(default_factory=dict)
    position_logprobs: Floats | None = field(default=None, compare=False)
    lost_words: LostWords | None = None

    @property
    def full_looks(self) -> tuple[Look, ...]:
        """Those at the whole panel."""
        return tuple(look for look in self.looks if look.is_full)

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """All alerts, in their order."""
        return tuple(alert for look in self.looks for alert in look.alerts)
