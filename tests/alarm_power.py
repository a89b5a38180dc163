"""How often alarms are false, and what they find, where documents differ as in real fine-tunings.

    python -m tests.alarm_power

prints the tables of the documentation, in a quarter of an hour on one core. A run is a panel that
is looked at in full, time after time: its documents differ for good, and by something that comes
and goes.

A boundary goes by how looks are correlated and by nothing else of a panel. So false alarms of
thousands of runs are counted against boundaries that are drawn for a panel large enough to have the
correlations themselves, and told how many documents there are. A test holds them to whole runs.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard import Reading, Threshold
from collapse_guard.alerts.alarms import Alarms
from collapse_guard.readings.registry import READINGS
from collapse_guard.statistics.estimates import document_mean, exponential
from collapse_guard.statistics.supremum_boundary import MOST_GROUPS, SupremumBoundary

Floats = npt.NDArray[np.float64]

ALPHA = 0.01

DOCUMENT, DRIFT, DRIFT_LOOKS = 0.2, 0.1, 50.0
"""Spreads in nats of a document, for good and for some 50 looks: a full fine-tuning on WikiText
spreads its documents by 0.16 to 0.33."""

RAMP = 100
"""Looks that a loss takes to its full size, from the first on."""

NEVER = math.inf
START = Reading(0, {"tail_retention": 1.0}, {"tail_retention": 0.0})


def looks_at(documents: int, truth: Floats, random: np.random.Generator) -> Iterator[Reading]:
    """What a run reads.

    Args:
        documents: Of the panel.
        truth: float64 of shape (looks,), the logarithm of its tail retention.
        random: What chance is drawn from.
    """
    for_good = DOCUMENT * random.standard_normal(documents)
    drift = DRIFT * random.standard_normal(documents)
    kept = math.exp(-1 / DRIFT_LOOKS)
    for look, level in enumerate(truth, start=1):
        news = DRIFT * math.sqrt(1 - kept**2) * random.standard_normal(documents)
        drift = kept * drift + news
        estimate = exponential(document_mean(level + for_good + drift))
        yield Reading.of(look, {"tail_retention": estimate})


def first_alarm(rule: Threshold, readings: Iterator[Reading], *, seed: int) -> float:
    """The look at which a rule first fires, or `NEVER`."""
    alarms = Alarms([rule], [READINGS["tail_retention"]], seed=seed)
    return next((look.step for look in readings if alarms.check(look, START)), NEVER)


def false_alarms(*, limit: float, documents: int, looks: int, runs: int) -> list[float]:
    """First alarms of runs whose truth stands at the limit throughout."""
    return _alarms(limit, documents, np.full(looks, math.log(limit)), runs)


def false_alarm_shares(
    *,
    documents: int,
    looks: Sequence[int],
    runs: int,
    lasting: float = DOCUMENT,
    boundaries: int = 8,
) -> list[float]:
    """Of runs whose truth stands at the limit throughout: the share with an alarm by some looks.

    Args:
        documents: Of the panel.
        looks: By how many of them.
        runs: How many.
        lasting: Spread in nats of what a document has for good: 0 where late looks have nothing in
            common with early ones.
        boundaries: Runs are held against the mean of so many.
    """
    random = np.random.default_rng([documents, runs])
    seeds = range(boundaries)
    boundary = np.mean([boundary_of(documents, max(looks), lasting, seed) for seed in seeds], 0)
    for_good = lasting * random.standard_normal((runs, documents), dtype=np.float32)
    drift = DRIFT * random.standard_normal((runs, documents), dtype=np.float32)
    first = np.full(runs, NEVER)
    for look in range(max(looks)):
        drift = drifted(drift, random)
        seen = for_good + drift
        errors = seen.std(1, ddof=1) / math.sqrt(documents)
        past = seen.mean(1) > boundary[look] * errors
        first = np.where(past & (first == NEVER), look + 1.0, first)
    return [float(np.mean(first <= each)) for each in looks]


def boundary_of(
    documents: int, looks: int, lasting: float, seed: int, *, alpha: float = ALPHA
) -> Floats:
    """What the boundary asks for, look after look: float64 of shape (looks,)."""
    random = np.random.default_rng(seed)
    for_good = lasting * random.standard_normal(MOST_GROUPS, dtype=np.float32)
    drift = DRIFT * random.standard_normal(MOST_GROUPS, dtype=np.float32)
    boundary, result = SupremumBoundary(alpha, seed=seed), []
    for _ in range(looks):
        drift = drifted(drift, random)
        seen = document_mean((for_good + drift).astype(np.float64))
        result.append(boundary.next(seen._replace(units=float(documents))))
    return np.array(result)


def drifted(drift: npt.NDArray[np.float32], random: np.random.Generator) -> Any:
    kept = np.float32(math.exp(-1 / DRIFT_LOOKS))
    news = np.float32(DRIFT) * np.sqrt(1 - kept**2)
    return kept * drift + news * random.standard_normal(drift.shape, dtype=np.float32)


def delays(*, loss: float, limit: float, documents: int, looks: int, runs: int) -> list[float]:
    """First alarms of runs that lose a share of the tail's probability."""
    lost = math.log1p(-loss) * np.minimum(np.arange(1, looks + 1) / RAMP, 1.0)
    return _alarms(limit, documents, lost, runs)


def _alarms(limit: float, documents: int, truth: Floats, runs: int) -> list[float]:
    rule = Threshold("tail_retention", below=limit)
    return [
        first_alarm(
            rule, looks_at(documents, truth, np.random.default_rng([documents, run])), seed=run
        )
        for run in range(runs)
    ]


def share(alarms: list[float]) -> float:
    """Of runs that raise one."""
    return float(np.mean(np.array(alarms) < NEVER))


def median(alarms: list[float]) -> float:
    """Looks until half of all runs have raised one."""
    return float(np.sort(alarms)[len(alarms) // 2])


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=6000, help="that lose nothing, of each kind")
    parser.add_argument("--losing-runs", type=int, default=500, help="that do, of each kind")
    settings = parser.parse_args()
    looks = (10, 400, 2000)
    print("| what documents have for good | documents | by 10 looks | by 400 | by 2,000 |")
    print("| --- | --- | --- | --- | --- |")
    for lasting in (DOCUMENT, 0.0):
        for documents in (10, 30, 100, 300):
            shares = false_alarm_shares(
                documents=documents, looks=looks, runs=settings.runs, lasting=lasting
            )
            told = " | ".join(f"{each:.2%}" for each in shares)
            print(f"| {lasting} nats | {documents} | {told} |", flush=True)
    print("\n| loss | limit | documents | found | median delay |\n| --- | --- | --- | --- | --- |")
    for loss, limit in ((0.1, 0.95), (0.2, 0.90), (0.2, 0.85), (0.3, 0.85)):
        for documents in (30, 100):
            found = delays(
                loss=loss, limit=limit, documents=documents, looks=400, runs=settings.losing_runs
            )
            delay = median(found)
            told = f"{delay:.0f}" if delay < NEVER else "never"
            print(
                f"| {loss:.0%} | {limit} | {documents} | {share(found):.0%} | {told} |", flush=True
            )


if __name__ == "__main__":
    main()
