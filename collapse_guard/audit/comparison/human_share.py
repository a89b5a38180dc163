"""How many words would have to be human for rare ones to come as often as they should."""

from dataclasses import dataclass

from collapse_guard.audit.comparison.coverage import Relative


@dataclass(frozen=True)
class HumanShare:
    """The least human share at which rare words come often enough.

    Attributes:
        target: How often they are to come, beside human text.
        value: The share, 0 to 1; 0 where synthetic text suffices alone.
        low: With the upper end of what was found for the synthetic text.
        high: With the lower end.
    """

    target: float
    value: float
    low: float
    high: float


def human_share(frequency: Relative, target: float) -> HumanShare:
    """The human share h of a mix at which rare words come `target` times as often as in human text.

    In a mix they come h + (1 - h) r times as often, where r is how often they come in synthetic
    text, so that h = (target - r) / (1 - r).

    Args:
        frequency: r, with its interval; NaN gives NaN.
        target: Above 0 and below 1.

    Example:
        >>> human_share(Relative(0.6, 0.5, 0.7), 0.9).value
        0.75
    """
    value, low, high = (
        _share(ratio, target) for ratio in (frequency.value, frequency.high, frequency.low)
    )
    return HumanShare(target, value, low, high)


def _share(ratio: float, target: float) -> float:
    # As decimals have it, and not their nearest floats: 0.75 and no hair more.
    return 0.0 if ratio >= target else round((target - ratio) / (1 - ratio), 12)
