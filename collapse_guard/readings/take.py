"""Taking readings that need more than their own arithmetic: agreement, a start, the blame."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from collapse_guard.distributed import all_or_none, of_first_process
from collapse_guard.errors import CollapseGuardError
from collapse_guard.readings.baseline import Baseline
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.readings.panel import Panel
from collapse_guard.readings.panel_sums import PanelScores
from collapse_guard.readings.reading import Reading
from collapse_guard.statistics.estimates import Estimate


def take_readings(kinds: Sequence[ReadingKind], evidence: Evidence) -> Reading:
    """All readings of a look, in the order of their kinds.

    Args:
        kinds: What to read.
        evidence: What the look has seen.

    Raises:
        CollapseGuardError: As `settled_readings`.
    """
    estimates: dict[str, Any] = {kind.name: kind.take(evidence) for kind in kinds if kind.agrees}
    alone = [kind for kind in kinds if not kind.agrees]
    if alone:
        settled = settled_readings(alone, evidence)
        estimates = {
            kind.name: (estimates if kind.agrees else settled)[kind.name] for kind in kinds
        }
    return Reading.of(evidence.step, estimates, is_full=evidence.scores is not None)


def settled_readings(kinds: Sequence[ReadingKind], evidence: Evidence) -> dict[str, Estimate]:
    """Readings that processes may get unlike values of: those of the first process, on all.

    In a distributed run all processes must call it, with the same kinds.

    Args:
        kinds: What to read.
        evidence: What the look has seen.

    Raises:
        CollapseGuardError: A reading of the user's returned no number. What one raises is passed
            on, with a note that names it.
        PeerError: One failed on another process.
    """
    with all_or_none():
        mine = {kind.name: _estimate(kind, evidence) for kind in kinds}
    agreed = of_first_process([number for each in mine.values() for number in each[:2]])
    return {
        name: each._replace(value=value, standard_error=error)
        for (name, each), value, error in zip(mine.items(), agreed[::2], agreed[1::2], strict=True)
    }


def kept_of_start(kinds: Sequence[ReadingKind], evidence: Evidence) -> dict[str, Any]:
    """What readings keep of the start for themselves, by name.

    Args:
        kinds: What is read.
        evidence: What the first look has seen.

    Raises:
        PeerError: One failed on another process. What one raises here is passed on, with a note
            that names it.
    """
    keeping = [(kind, kind.keep_start) for kind in kinds]
    if all(keep is None for _, keep in keeping):
        return {}
    with all_or_none():
        return {
            kind.name: _blamed(kind, keep, evidence) for kind, keep in keeping if keep is not None
        }


def baseline_of(panel: Panel, scores: PanelScores) -> Baseline:
    """What other looks at the same windows are compared with, without a reading of its own."""
    return Baseline(
        panel.fingerprint,
        tuple(scores.tail_logprob.tolist()),
        tuple(scores.head_logprob.tolist()),
        Reading(0, {}, {}),
    )


def _estimate(kind: ReadingKind, evidence: Evidence) -> Estimate:
    value = _blamed(kind, kind.take, evidence)
    if isinstance(value, Estimate):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise CollapseGuardError(
            f"reading {kind.name} returned {value!r} of type {type(value).__name__}: let it return "
            f"a float or an Estimate."
        )
    return Estimate(float(value), math.nan, np.zeros(0), math.inf)


def _blamed(kind: ReadingKind, function: Callable[[Evidence], Any], evidence: Evidence) -> Any:
    """What the function returns; what it raises names the reading."""
    try:
        return function(evidence)
    except Exception as error:
        # A note, since whoever contains it may tell one kind of error from another.
        error.add_note(f"It was raised while reading {kind.name} was taken.")
        raise
