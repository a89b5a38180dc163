"""Readings and alarms of many simulated runs at once.

The package reads one run at a time, in half a millisecond a look: the two million looks of a
thousand runs would take a quarter of an hour. So the arithmetic of `tail_retention`, of `tail_gap`
and of their standard errors is written out here once more, over all runs together. Boundaries are
the package's own (`SupremumBoundary`), those of a few runs for all where there are more: they go by
how looks are correlated, which runs of one law share, whatever they lose. A test holds both to the
package's own path.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard import HeldOutPanel, Threshold
from collapse_guard.statistics.confidence_sequence import half_width
from collapse_guard.statistics.estimates import Estimate
from collapse_guard.statistics.supremum_boundary import SupremumBoundary
from tests.simulated_runs import (
    FULL_EVERY,
    Law,
    SimulatedRuns,
    Truth,
    simulated_panel,
    steady,
)
from tests.sizes import sized

Floats = npt.NDArray[np.float64]

NEVER = math.inf

ALPHA = 0.01

WITH_BOUNDARIES = sized(short=1, long=2)
"""Runs of a law that have a boundary of their own; all go by the mean of these."""

SIDES = {"tail_retention": -1.0, "tail_gap": 1.0}
"""Rules are on a `tail_retention` that falls, and on a `tail_gap` that rises."""


@dataclass(frozen=True)
class Track:
    """A reading at every look of every run.

    Attributes:
        values: float64 of shape (looks, runs), on the scale that rules compare on: the logarithm of
            `tail_retention`, `tail_gap` itself.
        errors: As `values`, standard errors over documents.
        units: float64 of shape (looks,): documents of equal weight that it is over.
        reaches: As `values`: how many standard errors are chance, for an alpha of `ALPHA`.
    """

    values: Floats
    errors: Floats
    units: Floats
    reaches: Floats


@dataclass(frozen=True)
class Tracks:
    """What was read of many runs.

    Attributes:
        readings: By name, those that were asked for.
        losses: float64 of shape (looks at the whole panel, runs): mean NLL over all positions, in
            nats against the start.
    """

    readings: Mapping[str, Track]
    losses: Floats


def read_runs(
    truth: Truth,
    *,
    runs: int,
    law: Law = "heavy",
    seed: int = 0,
    names: Sequence[str] = tuple(SIDES),
) -> Tracks:
    """Simulate and read many runs, a few hundred at a time, as many as fit a processor's cache."""
    panel, chunk = simulated_panel(), 250
    reaches = {name: _reaches(name, law) for name in names}
    parts = [
        read(
            SimulatedRuns(panel, truth, runs=min(chunk, runs - done), seed=seed + done, law=law),
            names=names,
            reaches=reaches,
        )
        for done in range(0, runs, chunk)
    ]
    return Tracks(
        {
            name: Track(
                np.concatenate([part.readings[name].values for part in parts], axis=1),
                np.concatenate([part.readings[name].errors for part in parts], axis=1),
                track.units,
                np.concatenate([part.readings[name].reaches for part in parts], axis=1),
            )
            for name, track in parts[0].readings.items()
        },
        np.concatenate([part.losses for part in parts], axis=1),
    )


@cache
def _reaches(name: str, law: Law) -> Floats:
    """float64 of shape (LOOKS,): how many standard errors of a reading are chance."""
    few = SimulatedRuns(simulated_panel(), steady(), runs=WITH_BOUNDARIES, law=law)
    return read(few, names=[name]).readings[name].reaches.mean(1)


def read(
    simulated: SimulatedRuns,
    *,
    names: Sequence[str] = tuple(SIDES),
    reaches: Mapping[str, Floats] | None = None,
) -> Tracks:
    """Read all runs, look by look.

    Args:
        simulated: The runs.
        names: Of the readings that are wanted.
        reaches: How many standard errors of each are chance, look after look, in all runs; None to
            ask a boundary of each run's own, which takes nearly all of the time.
    """
    panel, runs = simulated.panel, simulated.runs
    tail, head = (_Documents(panel, panel.position_counts[band]) for band in ("tail", "head"))
    moved_tail, moved_head = np.zeros((2, runs, len(panel)))
    everywhere = np.ones(len(panel))
    looks = len(simulated.truth.tail)
    values, errors, reached = np.empty((3, len(names), looks, runs))
    own = range(runs if reaches is None else 0)
    boundaries = [[SupremumBoundary(ALPHA, seed=run) for run in own] for _ in names]
    units, losses = np.empty((len(names), looks)), []
    for number, look in enumerate(simulated):
        if look.torso is not None:
            gained = (look.tail + look.head + look.torso).sum(1)
            losses.append(-gained / panel.position_counts["all"].sum())
            whole_tail, whole_head = look.tail, look.head
            of_tail, of_head = tail.mean(look.tail, everywhere), head.mean(look.head, everywhere)
            whole = of_tail, _difference(of_head, of_tail)
            at_look = whole
        else:
            moved_tail[:, look.windows] = look.tail - whole_tail[:, look.windows]
            moved_head[:, look.windows] = look.head - whole_head[:, look.windows]
            of_tail = tail.mean(moved_tail, look.freshness)
            of_head = head.mean(moved_head, look.freshness)
            moved = of_tail, _difference(of_head, of_tail)
            at_look = tuple(map(_total, whole, moved))
        by_name = dict(zip(SIDES, at_look, strict=True))
        for reading, name in enumerate(names):
            mean = by_name[name]
            values[reading, number], errors[reading, number] = mean.value, mean.error
            units[reading, number] = mean.units
            if reaches is not None:
                reached[reading, number] = reaches[name][number]
                continue
            reached[reading, number] = [
                boundary.next(Estimate(math.nan, math.nan, influences, mean.units))
                for boundary, influences in zip(
                    boundaries[reading], SIDES[name] * mean.influences, strict=True
                )
            ]
    return Tracks(
        {name: Track(values[i], errors[i], units[i], reached[i]) for i, name in enumerate(names)},
        np.array(losses),
    )


def first_alarms(track: Track, rule: Threshold, *, each_look_alone: bool = False) -> Floats:
    """The look at which a rule first fires in each run: float64 of shape (runs,), from 1 on.

    Args:
        track: The rule's reading.
        rule: Of patience 1, with an absolute limit and an alpha of `ALPHA` or None.
        each_look_alone: Take the interval of a first look at every look, as if it were the only.

    Returns:
        `NEVER` where it does not.
    """
    limit = math.log(rule.limit({})) if rule.reading == "tail_retention" else rule.limit({})
    excess = track.values - limit if rule.above is not None else limit - track.values
    if rule.alpha is not None:
        reach = half_width(1.0, track.units[0], alpha=ALPHA, look=1)
        excess -= (reach if each_look_alone else track.reaches) * track.errors
    fires = excess > 0
    return np.where(fires.any(0), fires.argmax(0) + 1.0, NEVER)


def first_stops(losses: Floats, *, patience: int) -> Floats:
    """The look at which early stopping stops each run, as `first_alarms`.

    Args:
        losses: float64 of shape (looks at the whole panel, runs); the first is the best to begin
            with.
        patience: Looks at the whole panel in a row without a new best.
    """
    waited, best = np.zeros(losses.shape[1]), losses[0]
    stops = np.full(losses.shape[1], NEVER)
    for evaluation, loss in enumerate(losses[1:], start=1):
        waited = np.where(loss < best, 0, waited + 1)
        best = np.minimum(best, loss)
        stops[(waited >= patience) & (stops == NEVER)] = evaluation * FULL_EVERY + 1
    return stops


class _Mean(NamedTuple):
    value: Floats
    error: Floats
    influences: Floats
    units: float


class _Documents:
    """Means over documents of each one's mean over positions."""

    def __init__(self, panel: HeldOutPanel, counts: Floats) -> None:
        owners = panel.document_ids.numpy()
        self._firsts = np.flatnonzero(np.diff(owners, prepend=-1))
        self._windows = np.bincount(owners)
        self._counts = counts

    def mean(self, sums: Floats, freshness: Floats) -> _Mean:
        """Of sums of shape (runs, windows), windows weighted by freshness of shape (windows,)."""
        positions = np.add.reduceat(self._counts * freshness, self._firsts)
        weights = np.add.reduceat(freshness, self._firsts) / self._windows
        weights = np.where(positions > 0, weights, 0.0)
        means = np.add.reduceat(sums * freshness, self._firsts, axis=1)
        means /= np.where(positions > 0, positions, 1.0)
        value = means @ weights / weights.sum()
        influences = (means - value[:, None]) * (weights / weights.sum())
        units = float(weights.sum() ** 2 / (weights @ weights))
        return _Mean(value, _spread(influences), influences, units)


def _difference(left: _Mean, right: _Mean) -> _Mean:
    influences = left.influences - right.influences
    units = min(left.units, right.units)
    return _Mean(left.value - right.value, _spread(influences), influences, units)


def _total(left: _Mean, right: _Mean) -> _Mean:
    influences = sum(
        side.influences * (side.error / np.linalg.norm(side.influences, axis=1))[:, None]
        for side in (left, right)
    )
    units = min(left.units, right.units)
    return _Mean(left.value + right.value, np.linalg.norm(influences, axis=1), influences, units)


def _spread(influences: Floats) -> Floats:
    documents = np.count_nonzero(influences.any(0))
    squares = np.einsum("rd,rd->r", influences, influences)
    return np.sqrt(documents / (documents - 1) * squares)
