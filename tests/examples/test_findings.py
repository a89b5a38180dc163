"""Sentences follow from the figures, whatever the figures are."""

import pytest

from collapse_guard.examples.recursive_finetune.findings import checks, findings
from collapse_guard.examples.recursive_finetune.results import RunResults
from tests.examples.results import ALERT, collapsed_run


def only(results: RunResults, *names: str) -> RunResults:
    return RunResults(
        results.configuration,
        results.versions,
        results.corpus,
        {name: results.regimes[name] for name in names},
    )


def test_a_collapse_is_told_as_it_was() -> None:
    told = "\n".join(findings(collapsed_run()))
    assert "After 2 generations on its own text alone" in told
    assert "20% of the probability" in told
    assert "already shows it: rare words -30%, common words +10%, perplexity +10%" in told
    assert "With 31% human rows" in told
    assert "80%: 4.0 times as much" in told
    assert "On its own text the callback's alarm first goes off in generation 1" in told
    assert "at training step 16: tail_retention below 0.85 (0.70 ± 0.02)" in told
    assert "On human text the callback's alarm never goes off" in told
    assert "replace 0.50 to 0.10" in told
    assert "alarm goes off after 16 steps on its own text and never on human text" in told
    assert "patience of 1, 2 and 3 looks, stops after 8 steps, after 16 steps and after 24" in told
    assert "and after 16 steps, after 24 steps and never on human text" in told
    assert "text is 3; with it, training on its own text stops after 24 steps" in told
    assert "keeps the tail of what the model reads, not the variety of what it writes" in told
    assert "distinct-2 of its own text is 0.20, from 0.50 at the start" in told
    assert "With the same rows, and a loss that takes back what the sampler did" in told
    assert "tail is 100%, common words 99%, perplexity 100.0 (from 100.0)" in told
    assert "distinct-2 of its own text 0.48 (from 0.50)" in told
    assert "On its own text with both the callback's alarm never goes off" in told


@pytest.mark.parametrize("name", ["human", "replace", "mixguard", "guarded"])
def test_a_single_regime_can_be_told_of(name: str) -> None:
    results = only(collapsed_run(), name)
    assert findings(results)
    assert checks(results) == []


@pytest.mark.parametrize(
    ("figures", "failing"),
    [
        ({}, []),
        ({"replace": 0.51}, [0, 2]),
        ({"human": 0.94}, [1]),
        ({"human": 1.06}, [1]),
        ({"mixguard": 0.39}, [2]),
        ({"floor_writes": 0.46}, [3]),
        ({"guarded": 0.94}, [4]),
        ({"guarded_writes": 0.44}, [4]),
        ({"alarm_at": 3}, [5, 7]),
        ({"guarded_alerts": (ALERT,)}, [6]),
        ({"alarm_at": 2}, [7]),
    ],
)
def test_what_did_not_come_out_is_said(figures: dict[str, object], failing: list[int]) -> None:
    results = collapsed_run(**figures)  # type: ignore[arg-type]
    assert [number for number, check in enumerate(checks(results)) if not check.holds] == failing


def test_a_false_alarm_is_said() -> None:
    results = collapsed_run()
    swapped = RunResults(
        results.configuration,
        results.versions,
        results.corpus,
        {**results.regimes, "human": results.regimes["replace"]},
    )
    assert not checks(swapped)[6].holds
    assert "On human text the callback's alarm first goes off" in "\n".join(findings(swapped))
