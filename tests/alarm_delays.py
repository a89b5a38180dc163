"""How late an alarm is, and how often it is false, beside what people do without it.

    python -m tests.alarm_delays

prints the table of the documentation, in a few minutes on one core.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse_guard import Threshold
from tests.batched_readings import ALPHA, NEVER, Tracks, first_alarms, first_stops, read_runs
from tests.simulated_runs import FULL_EVERY, GRADUAL, HEAD_GAIN, ONSET, SUDDEN, losing, steady

Floats = npt.NDArray[np.float64]

WATCHED = "tail_retention"

LIMITS = (0.95, 0.90, 0.85)
"""Of it. Each planted loss is past one of them that no smaller one is past."""
LOSSES = (0.10, 0.20, 0.30)
HEALTHY_RUNS, LOSING_RUNS = 1000, 200
USUAL_PATIENCE = 3


@dataclass(frozen=True)
class Outcome:
    """What became of a planted loss under one way of watching.

    Attributes:
        delay: Median looks from the loss's onset, over runs not stopped before it; `NEVER` where at
            least half of those go on to the end, NaN where most are stopped before.
        false: Share of healthy runs that are stopped.
    """

    delay: float
    false: float


@dataclass(frozen=True)
class Row:
    """A planted loss, and a limit that it is past.

    Attributes:
        loss: Share of the tail's probability.
        over: Looks that it takes to its full size.
        head_gains: Whether the head gains what hides the loss from the mean NLL.
        limit: Of `tail_retention`.
        passed: Looks from the onset until the truth is past the limit: no way can be sooner.
        rule: The rule with `alpha`.
        value: The reading compared with the limit as it is.
        usual_stopping: Early stopping on the NLL of the same documents, `USUAL_PATIENCE`.
        tuned_stopping: The same with the smallest patience that stops at most `ALPHA` of the
            healthy runs: tuned on the very runs that it is judged by.
    """

    loss: float
    over: int
    head_gains: bool
    limit: float
    passed: int
    rule: Outcome
    value: Outcome
    usual_stopping: Outcome
    tuned_stopping: Outcome


def healthy_runs(runs: int = HEALTHY_RUNS) -> Tracks:
    """Runs that lose nothing."""
    return read_runs(steady(), runs=runs, names=[WATCHED])


def tuned_patience(healthy: Tracks) -> int:
    """The smallest patience that stops at most `ALPHA` of the runs."""
    return next(
        patience
        for patience in range(1, len(healthy.losses) + 1)
        if _share(first_stops(healthy.losses, patience=patience)) <= ALPHA
    )


def rows(healthy: Tracks, *, runs: int = LOSING_RUNS) -> Iterator[Row]:
    """Every planted loss against every limit that it is past; the largest also without disguise.

    Args:
        healthy: What each way of watching is held against.
        runs: Of each loss.
    """
    tuned = tuned_patience(healthy)
    disguised = [(loss, over, True) for loss in LOSSES for over in (SUDDEN, GRADUAL)]
    bare = [(LOSSES[-1], over, False) for over in (SUDDEN, GRADUAL)]
    for loss, over, head_gains in disguised + bare:
        truth = losing(loss, over=over, head_gain=HEAD_GAIN if head_gains else 0.0)
        ill = read_runs(truth, runs=runs, seed=1_000_000, names=[WATCHED])
        stopping = [
            _outcome(*(first_stops(each.losses, patience=patience) for each in (ill, healthy)))
            for patience in (USUAL_PATIENCE, tuned)
        ]
        for limit in LIMITS if head_gains else LIMITS[-1:]:
            if 1 - loss < limit:
                watching = [
                    _outcome(*(alarms(each, limit, alpha) for each in (ill, healthy)))
                    for alpha in (ALPHA, None)
                ]
                passed = math.floor(over * math.log(limit) / math.log1p(-loss)) + 1
                yield Row(loss, over, head_gains, limit, passed, *watching, *stopping)


def alarms(runs: Tracks, limit: float, alpha: float | None) -> Floats:
    """When `tail_retention` first breaks a rule in each run."""
    rule = Threshold(WATCHED, below=limit, alpha=alpha)
    return first_alarms(runs.readings[WATCHED], rule)


def table(of: Sequence[Row], patience: int) -> str:
    """Markdown."""
    titles = (
        "tail lost",
        "within",
        "head",
        "limit",
        "truth past it",
        f"rule, alpha = {ALPHA}",
        "its value alone",
        f"early stopping, patience {USUAL_PATIENCE}",
        f"early stopping, patience {patience}",
    )
    lines = [f"| {' | '.join(titles)} |", f"|{' --- |' * len(titles)}"]
    for row in of:
        ways = (row.rule, row.value, row.usual_stopping, row.tuned_stopping)
        cells = (
            f"{row.loss:.0%}",
            "1 look" if row.over == 1 else f"{row.over} looks",
            "gains" if row.head_gains else "stays",
            f"{row.limit}",
            f"{row.passed}",
            *(f"{_words(each.delay)} ({each.false:.1%} false)" for each in ways),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _words(delay: float) -> str:
    if math.isnan(delay):
        return "stopped before"
    return "never" if delay == NEVER else f"{delay:.0f}"


def _outcome(ill: Floats, healthy: Floats) -> Outcome:
    after = ill[ill > ONSET] - ONSET
    # The upper of two in the middle: infinities have no mean.
    delay = float(np.sort(after)[len(after) // 2]) if 2 * len(after) > len(ill) else math.nan
    return Outcome(delay, _share(healthy))


def _share(stops: Floats) -> float:
    return float(np.mean(stops < NEVER))


if __name__ == "__main__":
    healthy = healthy_runs()
    print(table(list(rows(healthy)), tuned_patience(healthy)))
    print(f"Delays in looks; early stopping evaluates the whole panel every {FULL_EVERY} looks.")
