"""How a run went, in five lines for people."""

import math
from collections.abc import Mapping, Sequence

from collapse_guard.alerts.rules import Alert
from collapse_guard.monitor.look import Look
from collapse_guard.monitor.monitor import CollapseMonitor
from collapse_guard.readings.reading import Reading
from collapse_guard.statistics.estimates import Estimate, difference, logarithm
from collapse_guard.statistics.student import student_half_width

_OWN_TEXT = "free_distinct_2"


def summary_of(
    monitor: CollapseMonitor, *, is_watched: bool = True, match: str = ""
) -> tuple[str, ...]:
    """How the run that a monitor has looked at went: the verdict first, five lines at most.

    What is kept is what the last look at the whole panel says, with its 95% interval over
    documents: it was not chosen by what it shows. Alarms hold at all looks, and may tell of a loss
    that was made good since.

    Args:
        monitor: After the last look of the run.
        is_watched: Whether looks could be taken to the end.
        match: What the loss is matched to, in a line; empty where it is not.
    """
    last = monitor.history[-1] if monitor.history else None
    start = monitor.baseline
    if last is None or start is None:
        unseen = "nothing can be said: the run could not be looked at (its log says why)."
        return tuple(filter(None, (unseen, match)))
    is_start = same_readings(last, start.readings) and (
        # A start that was taken anew, where rules have waited, and not a model that stood still.
        last is monitor.history[0] or not same_readings(monitor.history[0], start.readings)
    )
    if is_start:
        nothing = f"nothing to compare: the start is the look at step {last.step}, the last one."
        return tuple(filter(None, (nothing, match, _alarms(monitor.alerts), _cost(monitor))))
    kept = _kept(last, start.readings)
    if not is_watched:
        kept = f"watched to step {last.step} only (the log says why); until then: {kept}"
    lines = (kept, _written(last, start.readings), match, _alarms(monitor.alerts), _cost(monitor))
    return tuple(filter(None, lines))


def same_readings(look: Mapping[str, float], start: Mapping[str, float]) -> bool:
    """Whether a look read what a start did, as it does where it is the one that it was taken at.

    Args:
        look: What was read.
        start: The same of a start, of which a look may read more.
    """
    return all(look.get(name) == value for name, value in start.items() if not math.isnan(value))


def _kept(last: Look, start: Reading) -> str:
    if "tail_retention" not in last:
        return f"nothing is known of the tail at step {last.step}."
    head = ""
    if "head_retention" in last:
        head = f" and {last['head_retention']:.0%} of the head"
    bits = f"perplexity on human text {start.get('perplexity', math.nan):.4g} -> " + (
        f"{last.get('perplexity', math.nan):.4g}"
    )
    return (
        f"kept {last['tail_retention']:.0%} of the tail{_interval(last.estimate('tail_retention'))}"
        f"{head} to step {last.step}; {bits}."
    )


def _interval(estimate: Estimate) -> str:
    """In percent; nothing where nobody knows how far off it may be."""
    if not 0 <= estimate.standard_error < math.inf or not estimate.units > 1:
        return ""
    half = student_half_width(estimate.standard_error, estimate.units)
    return f" ({max(estimate.value - half, 0.0):.0%} to {estimate.value + half:.0%})"


def _written(last: Look, start: Reading) -> str:
    if _OWN_TEXT not in last or _OWN_TEXT not in start:
        return ""
    now, before = last.estimate(_OWN_TEXT), start.estimate(_OWN_TEXT)
    moved = difference(logarithm(now), logarithm(before))
    told = f"(distinct-2 {before.value:.2f} -> {now.value:.2f})"
    if not math.isfinite(moved.standard_error):
        return f"own text: distinct-2 {before.value:.2f} -> {now.value:.2f}."
    half = student_half_width(moved.standard_error, moved.units)
    if abs(moved.value) <= half:
        return f"own text as varied as at the start {told}."
    more = "more" if moved.value > 0 else "less"
    return f"own text {more} varied than at the start {told}."


def _alarms(alerts: Sequence[Alert]) -> str:
    told = [alert for alert in alerts if alert.is_alarm]
    if not told:
        return "no alarm."
    first = told[0]
    others = "" if len(told) == 1 else f", and {len(told) - 1} more"
    why = first.explanation or first.message
    return f"ALARM at step {first.step}: {first.rule}{others}. {why}"


def _cost(monitor: CollapseMonitor) -> str:
    spent = monitor.overhead_spent
    if math.isnan(spent):
        return "looks took an unknown share of the time, as no training was seen."
    part = f" ({monitor.writing_spent:.1%} to have it write)" if monitor.writing_spent else ""
    return f"looks took {spent:.1%} of the training time{part}."
