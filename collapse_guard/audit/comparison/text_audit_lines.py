"""The lines of a comparison of texts, in plain words."""

import math
from collections.abc import Iterator

from collapse_guard.audit.comparison.coverage import Coverage, Relative
from collapse_guard.audit.comparison.human_share import HumanShare
from collapse_guard.audit.comparison.telling_runs import TellingRuns
from collapse_guard.audit.comparison.text_sizes import Copies, TextSize

_NAMES = {1: "rare {unit}", 2: "rare pairs of {unit}", 3: "rare runs of three {unit}"}


def size_line(name: str, size: TextSize) -> str:
    """How much text there is of one kind, and how much of it was compared."""
    compared = "all compared" if size.sampled == 1 else f"a sample of {size.sampled:.2%} compared"
    return (
        f"{name}: {size.texts:,} texts, {size.characters:,} characters; {compared}, "
        f"{size.words:,} words"
    )


def coverage_line(found: Coverage) -> str:
    """How often rare words come, and how many of them there are."""
    if math.isnan(found.rare):
        return f"{coverage_name(found)}: none in human text of this size"
    return (
        f"{coverage_name(found)}: {ratio(found.frequency)} times as often as in human text; "
        f"{found.synthetic:.1%} of them are there, of as much fresh human text {found.human:.1%}"
    )


def coverage_name(found: Coverage) -> str:
    """What was looked for, such as "rare pairs of words"."""
    name = _NAMES.get(found.length, f"rare runs of {found.length} {{unit}}")
    return name.format(unit=found.unit)


def ratio(found: Relative) -> str:
    """A ratio and its interval."""
    if math.isnan(found.value):
        return "not to be told"
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def runs_lines(runs: TellingRuns) -> Iterator[str]:
    """Words that have vanished, and those that come too often, where there are some."""
    if runs.vanished:
        gone = (f"{run.words!r} ({run.human:,.0f})" for run in runs.vanished)
        yield f"vanished (in human text, for each million words): {', '.join(gone)}"
    if runs.overused:
        often = (f"{run.words!r} ({run.synthetic:,.0f}, {run.human:,.0f})" for run in runs.overused)
        yield f"overused (for each million words, and in human text): {', '.join(often)}"


def copies_line(copies: Copies, *, is_sampled: bool) -> str:
    """How many texts are not new."""
    sampled = ", as far as the sample tells" * is_sampled
    return (
        f"copies: {copies.repeated:.1%} of the synthetic texts repeat others (human ones: "
        f"{copies.human_repeated:.1%}), {copies.shared:.1%} stand in the human text{sampled}"
    )


def share_line(share: HumanShare) -> str:
    """Which share of a mix has to be human, and what for."""
    if math.isnan(share.value):
        return "human share: cannot be told without rare words"
    if share.high == 0:
        return f"human share: none is needed for rare words to come {share.target:g} times as often"
    return (
        f"human share: {share.value:.0%} ({share.low:.0%} to {share.high:.0%}) of the words for "
        f"rare ones to come {share.target:g} times as often as in human text"
    )
