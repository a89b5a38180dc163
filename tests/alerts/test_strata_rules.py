"""Many rules at once: false alarms of all together, by simulation."""

import math

import numpy as np
import pytest

from collapse_guard import ArgumentError, Reading, ReadingKind, Threshold
from collapse_guard.alerts.alarms import Alarms
from collapse_guard.alerts.strata_rules import strata_rules
from collapse_guard.statistics.estimates import document_mean, exponential
from collapse_guard.statistics.supremum_boundary import SupremumBoundary

STRATA, DOCUMENTS, LOOKS, RUNS = 4, 40, 2, 100
ALPHA = 0.4

KINDS = [
    ReadingKind(f"tail_retention_{stratum}", "what is left", lambda _: 1.0, on_log_scale=True)
    for stratum in range(STRATA)
]
START = Reading(0, {kind.name: 1.0 for kind in KINDS}, {})


def runs_with_alarms(rules: tuple[Threshold, ...]) -> int:
    """Of those whose truth is at the limit in each stratum at each look."""
    alarmed = 0
    for run in range(RUNS):
        random = np.random.default_rng(run)
        for_good = 0.2 * random.standard_normal((STRATA, DOCUMENTS))
        alarms = Alarms(rules, KINDS)
        for look in range(1, LOOKS + 1):
            news = 0.1 * random.standard_normal((STRATA, DOCUMENTS))
            estimates = {
                kind.name: exponential(document_mean(math.log(0.85) + of_documents))
                for kind, of_documents in zip(KINDS, for_good + news, strict=True)
            }
            alarms.check(Reading.of(look, estimates), START)
        alarmed += bool(alarms.alerts)
    return alarmed


def test_false_alarms_of_all_strata_together() -> None:
    # What may be spent of it in so few looks.
    spent = ALPHA * (1 - 1 / math.log2(LOOKS + 2))
    most = RUNS * spent + 3 * math.sqrt(RUNS * spent * (1 - spent))
    found = runs_with_alarms(strata_rules(KINDS, alpha=ALPHA))
    assert 0 < found < most
    # Each for itself, they would raise more.
    apart = tuple(Threshold(kind.name, below=0.85, alpha=ALPHA) for kind in KINDS)
    assert runs_with_alarms(apart) > most


def test_each_rule_has_its_share() -> None:
    rules = strata_rules(iter(KINDS), below=0.9, alpha=0.02, severity="critical")
    assert [rule.reading for rule in rules] == [kind.name for kind in KINDS]
    assert {(rule.below, rule.alpha, rule.severity) for rule in rules} == {(0.9, 0.005, "critical")}


def test_more_than_sixteen_strata_have_the_wider_boundary() -> None:
    """As the docstring says: no more than the share of one more rule makes the boundary jump."""
    excess = document_mean(np.random.default_rng(0).standard_normal(100))
    last = {}
    for strata in (15, 16, 17):
        boundary = SupremumBoundary(0.01 / strata)
        last[strata] = [boundary.next(excess) for _ in range(30)][-1]
    assert last[16] - last[15] < 0.2 < 1.0 < last[17] - last[16]


def test_bad_input() -> None:
    with pytest.raises(ArgumentError, match="`kinds`"):
        strata_rules([])
    for given in (7, [*KINDS, "tail_retention"]):
        with pytest.raises(ArgumentError, match=r"`kinds.* expected (a ReadingKind|readings)"):
            strata_rules(given)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="`alpha`"):
        strata_rules(KINDS, alpha=2.0)
