"""The laboratory around its worlds: regimes, chains, verdicts, the table and the command."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from collapse_guard import ArgumentError, Threshold
from collapse_guard.examples.laboratory.__main__ import main
from collapse_guard.examples.laboratory.chain import in_one_block, run_chain
from collapse_guard.examples.laboratory.published import Finding, table
from collapse_guard.examples.laboratory.regimes import REGIMES, Lesson, Recipe, mix
from collapse_guard.examples.laboratory.reproduce import EXPERIMENTS
from collapse_guard.examples.laboratory.worlds.gaussian import Gaussian

# Rows that say what they are: fresh human ones, the first human ones, and generations 1 to 3.
LESSON = Lesson(
    *(np.full((10, 1), mark) for mark in (-1, 0)), [np.full((10, 1), n) for n in (1, 2, 3)]
)


def shown(recipe: Recipe) -> dict[int, int]:
    guard = in_one_block(recipe)
    rows = np.stack(guard.__getitems__(range(len(guard))))
    marks, counts = np.unique(rows, return_counts=True)
    return dict(zip(marks.tolist(), counts.tolist(), strict=True))


@pytest.mark.parametrize(
    ("regime", "rows"),
    [
        ("human", {-1: 10}),
        ("replace", {3: 10}),
        ("accumulate", {0: 10, 1: 10, 2: 10, 3: 10}),
        ("mix", {-1: 3, 3: 7}),
        # .618 of 16 showings of 20 rows, rounded up to a whole row.
        ("golden", {-1: 198, 3: 122}),
    ],
)
def test_a_regime_shows_what_it_says(regime: str, rows: dict[int, int]) -> None:
    assert shown(REGIMES[regime](LESSON)) == rows


def test_a_subsample_has_the_budget_and_equal_parts() -> None:
    counts = shown(REGIMES["accumulate_subsample"](LESSON))
    assert sum(counts.values()) == 10
    assert set(counts) == {0, 1, 2, 3}
    assert set(counts.values()) <= {2, 3}


@pytest.mark.parametrize("floor", [0.11, 0.5, 0.99])
def test_a_mix_keeps_its_floor_in_every_window(floor: float) -> None:
    guard = in_one_block(mix(floor)(LESSON))
    is_human = guard.locate(range(10)).is_human
    for width in range(1, 11):
        windows = np.lib.stride_tricks.sliding_window_view(is_human, width).sum(-1)
        assert windows.min() >= int(width * floor)


def test_chains_of_one_seed_share_their_random_numbers() -> None:
    def variances(regime: str, seed: int) -> list[list[float]]:
        chain = run_chain(
            Gaussian(), REGIMES[regime], generations=3, rows=10, replicates=5, seed=seed
        )
        values: list[list[float]] = chain.values["variance"].tolist()
        return values

    assert variances("replace", 0) == variances("replace", 0)
    assert variances("replace", 0) != variances("replace", 1)
    assert variances("replace", 0)[0] == variances("mix", 0)[0] == variances("human", 0)[0]
    assert variances("replace", 0)[1] != variances("mix", 0)[1]


def test_the_first_generation_has_human_rows_alone() -> None:
    chain = run_chain(Gaussian(), REGIMES["mix"], generations=3, rows=10, replicates=2)
    assert chain.human_shares == (1.0, 0.3, 0.3)


def test_rules_are_held_against_the_replicates_mean() -> None:
    rules = [Threshold("variance", below=0.8, relative_to_start=True)]
    alerts = {
        name: run_chain(
            Gaussian(), REGIMES[name], generations=8, rows=10, replicates=400, rules=rules
        ).alerts
        for name in ("human", "replace")
    }
    assert alerts["human"] == ()
    (alert,) = alerts["replace"]
    # (1 - 1/10)^(n - 1) is .81 at n = 3 and .59 at n = 6.
    assert 3 <= alert.step <= 6


@pytest.mark.parametrize("name", ["generations", "rows", "replicates", "seed", "human_rows"])
def test_a_number_that_cannot_be_is_refused(name: str) -> None:
    numbers = {"generations": 2, "rows": 5, "replicates": 4, "seed": 0, "human_rows": 5, name: -1}
    with pytest.raises(ArgumentError, match=name):
        run_chain(Gaussian(), REGIMES["replace"], **numbers)


def test_a_rule_on_what_is_not_read_is_refused() -> None:
    with pytest.raises(ArgumentError, match="rules"):
        run_chain(
            Gaussian(),
            REGIMES["replace"],
            generations=2,
            rows=5,
            replicates=4,
            rules=[Threshold("entropy", below=1.0)],
        )


def row(expected: float, measured: float, **changes: object) -> Finding:
    values = {"standard_error": 0.1, "replicates": 1000, **changes}
    return Finding("a world", "a claim", "a paper", expected, measured, **values)  # type: ignore[arg-type]


def test_intervals_hold_for_all_rows_together() -> None:
    # Of one row 2.58 standard errors, of a hundred 3.89, with many replicates.
    assert row(0.0, 0.0).half_width(1) == pytest.approx(0.258, abs=0.002)
    assert row(0.0, 0.0).half_width(100) == pytest.approx(0.391, abs=0.003)
    assert row(0.0, 0.0, replicates=5).half_width(1) > 0.4
    assert row(0.0, 0.0, expected_error=0.1).half_width(1) == pytest.approx(0.365, abs=0.003)


@pytest.mark.parametrize(
    ("finding", "verdict"),
    [
        (row(1.0, 1.2), "reproduced"),
        (row(1.0, 1.3), "not reproduced"),
        (row(0.3, 0.1 + 0.2, standard_error=0.0), "reproduced"),
        (row(0.3, 0.31, standard_error=0.0), "not reproduced"),
        (row(1.0, 0.5, relation="below"), "trend only"),
        (row(1.0, 0.9, relation="below"), "not told apart"),
        (row(1.0, 1.5, relation="below"), "not reproduced"),
        (row(1.0, 1.5, relation="above"), "trend only"),
    ],
)
def test_a_verdict_follows_from_the_interval(finding: Finding, verdict: str) -> None:
    assert finding.verdict(1) == verdict


def test_a_table_has_a_line_for_each_finding() -> None:
    lines = table([row(1.0, 1.2), row(1.0, 0.5, relation="below")]).splitlines()
    assert lines[2].startswith("| a world | a claim | a paper | 1 | 1.2 ± 0.28 | reproduced |")
    assert "| below 1 | 0.5 ± 0.28 | trend only |" in lines[3]


def test_the_command_writes_the_same_each_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    for folder in ("one", "two"):
        main(
            [
                *("reproduce", "--quick", "--only", "linear_regression"),
                *("--output", str(tmp_path / folder)),
            ]
        )
    assert "linear_regression: " in capsys.readouterr().out
    for name in ("table.md", "results.json", "linear_regression.png"):
        one, two = (tmp_path / folder / name for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
    results = json.loads((tmp_path / "one" / "results.json").read_text(encoding="utf-8"))
    assert results["quick"]
    assert not results["not_run"]
    page = (tmp_path / "one" / "table.md").read_text(encoding="utf-8")
    for finding in results["findings"]:
        assert finding["claim"] in page
        assert finding["verdict"] != "not reproduced"
    assert "| linear_regression | replace | test_error above 2.0 times its start | gen" in page


def test_a_world_that_needs_what_is_not_there_is_left_out_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    main(["reproduce", "--quick", "--only", "gaussian_mixture", "--output", str(tmp_path)])
    page = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "gaussian_mixture: sklearn is needed here" in page
    assert "0 rows" in page


def test_figures_may_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    main(["reproduce", "--quick", "--only", "linear_regression", "--output", str(tmp_path)])
    page = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "matplotlib is needed here" in page
    assert "linear regression | test error" in page
    assert not list(tmp_path.glob("*.png"))


def test_an_experiment_that_is_none_ends_it_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"^error: .*only.*gaussian_mixture"):
        main(["reproduce", "--only", "gauss", "--output", str(tmp_path)])
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", list(EXPERIMENTS))
def test_every_quick_experiment_has_findings_and_no_surprise(tmp_path: Path, name: str) -> None:
    if name == "gaussian_mixture":
        pytest.importorskip("sklearn")
    main(["reproduce", "--quick", "--only", name, "--output", str(tmp_path)])
    findings = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["findings"]
    assert len(findings) >= 4
    failed = [each["claim"] for each in findings if each["verdict"] == "not reproduced"]
    # What the README says of these: n/M is for a variance without bias, f for rare types.
    assert all("taken for n/M" in claim or "about f" in claim for claim in failed)
