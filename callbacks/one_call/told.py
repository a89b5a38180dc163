"""What is told of a watched run before it begins: six lines at most."""

from collections.abc import Iterator
from dataclasses import dataclass

from collapse_guard.callbacks.one_call.sizes import (
    MOST_SHARE,
    Length,
    looking,
    with_tail,
    writing,
)
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.monitor.monitor import CollapseMonitor
from collapse_guard.readings.sampling import Sampling


@dataclass(frozen=True)
class LeftOut:
    """What would have been looked at, and is not.

    Attributes:
        documents: Held-out documents without a window in the panel.
        window: Tokens that they would have had to have.
        sampling: What the model does not write, as it would cost too much; None where nothing was
            left out for that.
    """

    documents: int
    window: int
    sampling: Sampling | None


def lines_before(
    monitor: CollapseMonitor, panel: HeldOutPanel, where: str, length: Length | None, left: LeftOut
) -> tuple[str, ...]:
    """What is watched, what that can see, what it costs, and what was left out.

    Args:
        monitor: As it was set up.
        panel: Its own.
        where: In what the reference was counted, in words.
        length: Of the run; None where nobody knows it.
        left: What was left out.
    """
    return (
        f"collapse_guard watches {_panel(panel)}{_writes(monitor.sampling)}.",
        f"rare is what makes up {panel.reference.band_mass['tail']:.0%} of {where} "
        f"({panel.reference.num_tokens:,} tokens).",
        *_sight(monitor),
        f"cost: {_cost(panel, monitor.sampling, length)}; in between, what its pace allows.",
        *_left_out(left, length),
    )


def _panel(panel: HeldOutPanel) -> str:
    windows, tokens = panel.input_ids.shape
    return (
        f"{windows} windows of {tokens} tokens from {panel.num_documents} independent documents, "
        f"{with_tail(panel)} of them with rare tokens"
    )


def _writes(sampling: Sampling | None) -> str:
    return "" if sampling is None else f", and {sampling.num_texts} texts that the model writes"


def _sight(monitor: CollapseMonitor) -> Iterator[str]:
    worth = [each for each in monitor.sight if each.reading == "tail_retention"]
    if worth:
        yield f"{worth[0].message}"


def _cost(panel: HeldOutPanel, sampling: Sampling | None, length: Length | None) -> str:
    tokens = looking(*panel.input_ids.shape) + writing(sampling)
    if length is None:
        return "two looks at all of it, at the start and the end (give steps= to have them fitted)"
    share = tokens / length.cost
    more = "" if share <= MOST_SHARE else ", more than 2%, for fewer would see too little"
    return f"about {share:.1%} of {length.steps:,} steps for the first and the last look{more}"


def _left_out(left: LeftOut, length: Length | None) -> Iterator[str]:
    parts = []
    if left.documents:
        parts.append(
            f"{left.documents:,} held-out documents (shorter than {left.window} tokens, copies of "
            "others, or more than are needed)"
        )
    if left.sampling is not None and length is not None:
        share = writing(left.sampling) / length.cost
        parts.append(f"what the model writes (another {share:.0%}; sampling=Sampling() has it)")
    if parts:
        yield f"left out: {'; '.join(parts)}."
